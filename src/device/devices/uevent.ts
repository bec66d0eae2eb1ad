/** A kernel uevent: what happened to which device (kernel: Documentation/ABI/testing/sysfs-uevent). */
export interface Uevent {
  action: string;
  /** Below /sys, e.g. `/devices/pci0000:00/…`. */
  devpath: string;
  subsystem: string;
  /** Below /dev; undefined for devices without a node. */
  devname: string | undefined;
  modalias: string | undefined;
  /** The name of a network interface. */
  interface: string | undefined;
  /** Set on events that we asked the kernel to repeat, to see whether anyone hears them. */
  synthetic: string | undefined;
}

/**
 * Reads what `busybox uevent busybox env` prints: the variables of each event, a line each. The kernel adds SEQNUM
 * as the last of every event, so that an event is complete with that line and none is delivered by halves.
 */
export function createUeventParser(onEvent: (event: Uevent) => void): (text: string) => void {
  let rest = '';
  let values = new Map<string, string>();
  return (text) => {
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      const at = line.indexOf('=');
      if (at <= 0) continue;
      const key = line.slice(0, at);
      values.set(key, line.slice(at + 1));
      if (key !== 'SEQNUM') continue;
      const event = eventOf(values);
      values = new Map();
      if (event) onEvent(event);
    }
  };
}

function eventOf(values: ReadonlyMap<string, string>): Uevent | undefined {
  const action = values.get('ACTION');
  const devpath = values.get('DEVPATH');
  if (!action || !devpath) return undefined;
  const devname = values.get('DEVNAME');
  if (devname !== undefined && leavesDev(devname)) return undefined;
  return {
    action,
    devpath,
    subsystem: values.get('SUBSYSTEM') ?? '',
    devname,
    modalias: values.get('MODALIAS'),
    interface: values.get('INTERFACE'),
    synthetic: values.get('SYNTH_UUID'),
  };
}

/**
 * Input devices put texts of their own into their events (NAME, HID_NAME), and nothing keeps a newline out of these: a
 * device may forge lines. What its node is called becomes a path that root changes, so that must stay in /dev.
 */
function leavesDev(devname: string): boolean {
  return devname.split('/').some((part) => part === '' || part === '.' || part === '..');
}
