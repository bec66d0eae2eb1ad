import type { Arch, Modules, PackagePick } from '../src/build/target.ts';

/** What every target takes from Debian, kernel and boot loader aside. */
export function basePackages(arch: Arch): PackagePick[] {
  const lib = `usr/lib/${arch}-linux-gnu`;
  const loader =
    arch === 'x86_64'
      ? ['usr/lib64/', `${lib}/ld-linux-x86-64.so.2`]
      : ['usr/lib/ld-linux-aarch64.so.1', `${lib}/ld-linux-aarch64.so.1`];
  return [
    {
      name: 'libc6',
      // libdl, libpthread, librt: empty since glibc 2.34, but programs built against older ones still name them.
      files: [
        ...loader,
        ...['libc.so.6', 'libm.so.6', 'libdl.so.2', 'libpthread.so.0', 'librt.so.1', 'libresolv.so.2'].map(
          (name) => `${lib}/${name}`,
        ),
        `${lib}/libnss_dns.so.2`,
        `${lib}/libnss_files.so.2`,
      ],
    },
    { name: 'libstdc++6', files: [`${lib}/libstdc++.so.6*`] },
    { name: 'libgcc-s1', files: [`${lib}/libgcc_s.so.1`] },
    { name: 'busybox-static', files: ['usr/bin/busybox'] },
    {
      name: 'e2fsprogs',
      files: ['usr/sbin/mke2fs', 'usr/sbin/e2fsck', 'usr/sbin/resize2fs', 'etc/mke2fs.conf'],
    },
    { name: 'libext2fs2t64', files: [`${lib}/libe2p.so.2*`, `${lib}/libext2fs.so.2*`] },
    { name: 'libcom-err2', files: [`${lib}/libcom_err.so.2*`] },
    { name: 'libblkid1', files: [`${lib}/libblkid.so.1*`] },
    { name: 'libuuid1', files: [`${lib}/libuuid.so.1*`] },
    // SSH: the daemon with its keys' maker, and what sftp and scp speak to.
    { name: 'dropbear-bin', files: ['usr/sbin/dropbear', 'usr/bin/dropbearkey'] },
    { name: 'libtomcrypt1', files: [`${lib}/libtomcrypt.so.1*`] },
    { name: 'libtommath1', files: [`${lib}/libtommath.so.1*`] },
    { name: 'libgmp10', files: [`${lib}/libgmp.so.10*`] },
    { name: 'libcrypt1', files: [`${lib}/libcrypt.so.1*`] },
    { name: 'zlib1g', files: [`${lib}/libz.so.1*`] },
    { name: 'openssh-sftp-server', files: ['usr/lib/openssh/sftp-server'] },
    // These hold the licence texts of the two GCC libraries, and of sftp-server.
    { name: 'gcc-14-base', files: [] },
    { name: 'openssh-client', files: [] },
  ];
}

/** Device modules that make sense wherever there is USB. */
export const usbDevices: Modules['device'] = [
  // Ethernet
  ...[
    'r8152',
    'asix',
    'ax88179_178a',
    'cdc_ether',
    'cdc_ncm',
    'cdc_subset',
    'rndis_host',
    'smsc95xx',
    'lan78xx',
    'dm9601',
  ],
  // Serial
  ...['cdc-acm', 'ftdi_sio', 'cp210x', 'ch341', 'pl2303'],
  // Storage, keyboards, barcode readers
  ...['usb-storage', 'uas', 'sd_mod', 'usbhid', 'hid-generic', 'evdev'],
];

/** File systems: the data partition's, and what people carry on USB sticks. */
export const fileSystems: Modules['device'] = [
  'ext4',
  'crc32c_generic',
  'vfat',
  'nls_cp437',
  'nls_ascii',
  'nls_utf8',
  'exfat',
  'overlay',
  'loop',
];
