/**
 * Numbers of the groups in `firmware/rootfs/etc/group`; a test compares. Devices are given to groups, and the app is a
 * member of all of them: it may use the hardware without being root.
 */
export const GROUPS = {
  dialout: 20,
  audio: 29,
  video: 44,
  plugdev: 46,
  input: 101,
  gpio: 102,
  i2c: 103,
  spi: 104,
} as const;
export type GroupName = keyof typeof GROUPS;

/** By the node's name under /dev; the first that matches counts. Names are those of the kernel's drivers. */
const RULES: readonly [pattern: RegExp, group: GroupName][] = [
  // Serial ports, not the virtual consoles (tty0 …) and not the console itself.
  [/^tty(S|AMA|USB|ACM|THS|GS|SC|mxc|UL|XR)\d+$/, 'dialout'],
  [/^gpiochip\d+$/, 'gpio'],
  [/^i2c-\d+$/, 'i2c'],
  [/^spidev\d+\.\d+$/, 'spi'],
  [/^iio:device\d+$/, 'gpio'],
  [/^(video|media|v4l-subdev|radio|vbi)\d+$/, 'video'],
  [/^dri\/(card|renderD)\d+$/, 'video'],
  [/^fb\d+$/, 'video'],
  [/^snd\/[^/]+$/, 'audio'],
  [/^input\/(event|js|mouse)\d+$/, 'input'],
  [/^hidraw\d+$/, 'plugdev'],
  [/^bus\/usb\/\d+\/\d+$/, 'plugdev'],
];

/** Directories of /dev that hold such nodes; '' is /dev itself. */
export const RULED_DIRECTORIES = ['', 'dri', 'snd', 'input', 'bus/usb/*'] as const;

/** Read and write for owner and group, nothing for others. */
export const DEVICE_MODE = 0o660;

/** @param name below /dev, e.g. `ttyUSB0` or `input/event3`, as the kernel's DEVNAME has it */
export function groupFor(name: string): GroupName | undefined {
  return RULES.find(([pattern]) => pattern.test(name))?.[1];
}
