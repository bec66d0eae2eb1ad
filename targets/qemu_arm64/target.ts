import type { Target } from '../../src/build/target.ts';
import { MiB } from '../../src/update/layout.ts';
import { basePackages, fileSystems, usbDevices } from '../common.ts';

/** QEMU's arm64 `virt` board, and arm64 machines with UEFI that look like it. */
const target: Target = {
  name: 'qemu_arm64',
  description: "QEMU's arm64 virt board, by UEFI",
  arch: 'aarch64',
  packages: [
    ...basePackages('aarch64'),
    {
      name: 'systemd-boot-efi',
      files: ['usr/lib/systemd/boot/efi/linuxaa64.efi.stub', 'usr/lib/systemd/boot/efi/systemd-bootaa64.efi'],
    },
  ],
  modules: {
    watchdog: ['i6300esb', 'sbsa_gwdt'],
    always: ['squashfs', 'efivarfs'],
    root: [
      'virtio_mmio',
      'virtio_blk',
      'virtio_scsi',
      'nvme',
      'ahci',
      'sd_mod',
      'xhci_pci',
      'usb-storage',
      'uas',
    ],
    device: [
      ...[
        'virtio_net',
        'e1000',
        'e1000e',
        'igb',
        'virtio-rng',
        'virtio_console',
        'i2c-dev',
        'gpio-pl061',
        'gpio_keys',
      ],
      ...usbDevices,
      ...fileSystems,
    ],
  },
  console: { kernel: ['ttyAMA0,115200'], shell: 'ttyAMA1' },
  boot: {
    family: 'uefi',
    stub: 'usr/lib/systemd/boot/efi/linuxaa64.efi.stub',
    loader: 'usr/lib/systemd/boot/efi/systemd-bootaa64.efi',
    loaderPath: 'EFI/BOOT/BOOTAA64.EFI',
    slotSize: 64 * MiB,
    espSize: 160 * MiB,
  },
  rootSlotSize: 256 * MiB,
  emulator: 'virt-arm64',
};
export default target;
