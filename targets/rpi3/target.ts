import type { Target } from '../../src/build/target.ts';
import { MiB } from '../../src/update/layout.ts';
import { basePackages, fileSystems, usbDevices } from '../common.ts';

/** Raspberry Pi 3 B, B+ and A+. Their boot ROM reads an MBR and a FAT16 control partition, nothing else. */
const target: Target = {
  name: 'rpi3',
  description: 'Raspberry Pi 3 B, 3 B+ and 3 A+',
  arch: 'aarch64',
  packages: [
    ...basePackages('aarch64'),
    {
      name: 'raspi-firmware',
      files: ['bootcode.bin', 'start.elf', 'fixup.dat'].map((name) => `usr/lib/raspi-firmware/${name}`),
    },
  ],
  modules: {
    watchdog: ['bcm2835_wdt'],
    always: ['squashfs'],
    root: ['sdhci-iproc', 'bcm2835', 'phy-generic', 'dwc2', 'usb-storage', 'uas', 'sd_mod'],
    device: [
      ...[
        'i2c-bcm2835',
        'i2c-dev',
        'spi-bcm2835',
        'spidev',
        'bcm2835-rng',
        'bcm2835_thermal',
        'raspberrypi-cpufreq',
      ],
      ...['pwm-bcm2835', 'leds-gpio', 'microchip'],
      ...usbDevices,
      ...fileSystems,
    ],
  },
  // The mini UART is on the header's pins 8 and 10. The PL011 belongs to Bluetooth: only the emulated board has the
  // shell port.
  console: { kernel: ['ttyS1,115200'], shell: 'ttyAMA0' },
  boot: {
    family: 'pi',
    bootcode: 'usr/lib/raspi-firmware/bootcode.bin',
    blobs: ['usr/lib/raspi-firmware/start.elf', 'usr/lib/raspi-firmware/fixup.dat'],
    dtbs: ['bcm2837-rpi-3-b', 'bcm2837-rpi-3-b-plus', 'bcm2837-rpi-3-a-plus'],
    config: [
      'arm_64bit=1',
      'upstream_kernel=1',
      'enable_uart=1',
      'disable_splash=1',
      'boot_delay=0',
      'gpu_mem=32',
    ],
    slotSize: 48 * MiB,
    controlSize: 16 * MiB,
  },
  rootSlotSize: 256 * MiB,
  emulator: 'raspi3b',
};
export default target;
