import { access, realpath } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { FwError } from '../../errors.ts';

export type UefiArch = 'x86_64' | 'aarch64';

/** UEFI firmware for QEMU: code that is mapped read-only, and the template of a variable store. */
export interface UefiFirmware {
  code: string;
  vars: string;
}

/** Where distributions keep the pair without Secure Boot; SHARE is the share/qemu folder beside the QEMU program. */
const PAIRS: Record<UefiArch, UefiFirmware[]> = {
  x86_64: [
    // Debian, Ubuntu: package ovmf
    { code: '/usr/share/OVMF/OVMF_CODE_4M.fd', vars: '/usr/share/OVMF/OVMF_VARS_4M.fd' },
    // Arch: edk2-ovmf
    { code: '/usr/share/edk2/x64/OVMF_CODE.4m.fd', vars: '/usr/share/edk2/x64/OVMF_VARS.4m.fd' },
    // Fedora: edk2-ovmf
    { code: '/usr/share/edk2/ovmf/OVMF_CODE.fd', vars: '/usr/share/edk2/ovmf/OVMF_VARS.fd' },
    // openSUSE: qemu-ovmf-x86_64
    { code: '/usr/share/qemu/ovmf-x86_64-4m-code.bin', vars: '/usr/share/qemu/ovmf-x86_64-4m-vars.bin' },
    // Homebrew, and QEMU built from source
    { code: 'SHARE/edk2-x86_64-code.fd', vars: 'SHARE/edk2-i386-vars.fd' },
  ],
  aarch64: [
    // Debian, Ubuntu: package qemu-efi-aarch64
    { code: '/usr/share/AAVMF/AAVMF_CODE.fd', vars: '/usr/share/AAVMF/AAVMF_VARS.fd' },
    // Arch: edk2-aarch64
    { code: '/usr/share/edk2/aarch64/QEMU_CODE.fd', vars: '/usr/share/edk2/aarch64/QEMU_VARS.fd' },
    // Fedora: edk2-aarch64
    {
      code: '/usr/share/edk2/aarch64/QEMU_EFI-pflash.raw',
      vars: '/usr/share/edk2/aarch64/vars-template-pflash.raw',
    },
    // openSUSE: qemu-uefi-aarch64
    { code: '/usr/share/qemu/aavmf-aarch64-code.bin', vars: '/usr/share/qemu/aavmf-aarch64-vars.bin' },
    // Homebrew, and QEMU built from source
    { code: 'SHARE/edk2-aarch64-code.fd', vars: 'SHARE/edk2-arm-vars.fd' },
  ],
};

const DEBIAN: Record<UefiArch, string> = { x86_64: 'ovmf', aarch64: 'qemu-efi-aarch64' };

/**
 * The UEFI firmware for an emulated machine.
 * @param qemu the QEMU program, whose own firmware files are looked at last
 * @param exists whether a file is there; a test may pass its own
 * @throws FwError `uefi-firmware-missing`
 */
export async function findUefi(
  arch: UefiArch,
  qemu: string,
  exists: (file: string) => Promise<boolean> = isThere,
): Promise<UefiFirmware> {
  const binary = await realpath(qemu).catch(() => qemu);
  const share = join(dirname(dirname(binary)), 'share', 'qemu');
  const pairs = PAIRS[arch].map(({ code, vars }) => ({
    code: code.replace(/^SHARE/, share),
    vars: vars.replace(/^SHARE/, share),
  }));
  for (const pair of pairs) {
    if ((await exists(pair.code)) && (await exists(pair.vars))) return pair;
  }
  throw new FwError('uefi-firmware-missing', `no UEFI firmware for ${arch} on this machine`, {
    where: pairs.map(({ code }) => code).join(', '),
    expected: 'the code and the variable template of EDK II, side by side',
    remedy: `Install it: 'apt install ${DEBIAN[arch]}', 'dnf install edk2-${arch === 'x86_64' ? 'ovmf' : arch}' or 'brew install qemu'.`,
  });
}

function isThere(file: string): Promise<boolean> {
  return access(file).then(
    () => true,
    () => false,
  );
}
