import type { Target } from '../../src/build/target.ts';
import { MiB } from '../../src/update/layout.ts';
import { basePackages, fileSystems, usbDevices } from '../common.ts';

/** Mini PCs and virtual machines that boot by UEFI. Debian's generic kernel: the cloud one has no USB and few NICs. */
const target: Target = {
  name: 'x86_64',
  description: 'PCs and virtual machines with UEFI',
  arch: 'x86_64',
  packages: [
    ...basePackages('x86_64'),
    {
      name: 'systemd-boot-efi',
      files: ['usr/lib/systemd/boot/efi/linuxx64.efi.stub', 'usr/lib/systemd/boot/efi/systemd-bootx64.efi'],
    },
    { name: 'firmware-realtek', files: ['usr/lib/firmware/rtl_nic/'] },
    { name: 'firmware-misc-nonfree', files: ['usr/lib/firmware/tigon/'] },
  ],
  modules: {
    watchdog: ['i6300esb', 'iTCO_wdt', 'i2c-i801', 'lpc_ich', 'sp5100_tco', 'wdat_wdt', 'hpwdt'],
    always: ['squashfs', 'efivarfs'],
    root: [
      ...['virtio_blk', 'virtio_scsi', 'nvme', 'ahci', 'ata_piix', 'sd_mod', 'vmw_pvscsi', 'hv_storvsc'],
      ...['xhci_pci', 'ehci_pci', 'ohci_pci', 'uhci_hcd', 'usb-storage', 'uas'],
      ...['sdhci_pci', 'sdhci_acpi', 'mmc_block'],
    ],
    device: [
      ...[
        'virtio_net',
        'e1000',
        'e1000e',
        'igb',
        'igc',
        'ixgbe',
        'i40e',
        'r8169',
        'realtek',
        'tg3',
        'atl1c',
        'alx',
        'sky2',
      ],
      ...['vmxnet3', 'hv_netvsc', 'virtio-rng', 'virtio_console', 'i2c-dev', 'i2c-i801', 'efi-pstore'],
      ...['coretemp', 'k10temp', 'button', 'thermal', 'fan', 'processor'],
      ...usbDevices,
      ...fileSystems,
    ],
  },
  console: { kernel: ['tty0', 'ttyS0,115200'], shell: 'ttyS1' },
  boot: {
    family: 'uefi',
    stub: 'usr/lib/systemd/boot/efi/linuxx64.efi.stub',
    loader: 'usr/lib/systemd/boot/efi/systemd-bootx64.efi',
    loaderPath: 'EFI/BOOT/BOOTX64.EFI',
    slotSize: 32 * MiB,
    espSize: 96 * MiB,
  },
  rootSlotSize: 256 * MiB,
  emulator: 'q35',
};
export default target;
