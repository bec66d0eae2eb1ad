import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { access } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { promisify } from 'node:util';
import type { Emulator } from '../../build/emulator.ts';
import { FwError } from '../../errors.ts';

/** QEMU 7.2 hangs on 6.12 kernels when it emulates the processor; from 9 on it has been seen to work. */
export const MIN_QEMU = 9;

/** An emulator program on this machine. */
export interface QemuBinary {
  path: string;
  /** Major and minor version. */
  version: [number, number];
}

interface Program {
  name: string;
  debian: string;
}

const X86: Program = { name: 'qemu-system-x86_64', debian: 'qemu-system-x86' };
const ARM: Program = { name: 'qemu-system-aarch64', debian: 'qemu-system-arm' };
const PROGRAMS: Record<Emulator, Program> = { q35: X86, 'virt-arm64': ARM, raspi3b: ARM };

/** The first executable of that name in a PATH-like list of folders. */
export async function findOnPath(name: string, path: string): Promise<string | undefined> {
  for (const folder of path.split(delimiter)) {
    if (folder === '') continue;
    const file = join(folder, name);
    const usable = await access(file, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (usable) return file;
  }
  return undefined;
}

/** Major and minor version from what `qemu-system-… --version` prints. */
export function parseVersion(text: string): [number, number] | undefined {
  const match = /QEMU emulator version (\d+)\.(\d+)/.exec(text);
  return match ? [Number(match[1]), Number(match[2])] : undefined;
}

function installHint({ debian }: Program): string {
  return `Install QEMU ${MIN_QEMU} or newer: 'apt install ${debian}' (on Debian 12 from bookworm-backports), 'dnf install qemu' or 'brew install qemu'.`;
}

/**
 * The QEMU program that emulates a machine.
 * @param path a PATH-like list of folders
 * @throws FwError `qemu-missing`, `qemu-too-old`, `qemu-failed`
 */
export async function findQemu(emulator: Emulator, path: string): Promise<QemuBinary> {
  const program = PROGRAMS[emulator];
  const file = await findOnPath(program.name, path);
  if (!file) {
    throw new FwError('qemu-missing', `${program.name} is not on the PATH`, {
      where: 'PATH',
      expected: `QEMU ${MIN_QEMU} or newer`,
      remedy: installHint(program),
    });
  }
  const { stdout } = await promisify(execFile)(file, ['--version'], { timeout: 30_000 }).catch(
    (cause: unknown) => {
      throw new FwError('qemu-failed', `${file} does not run`, {
        where: file,
        remedy: installHint(program),
        cause,
      });
    },
  );
  const version = parseVersion(stdout);
  if (!version || version[0] < MIN_QEMU) {
    const found = version ? `version ${version.join('.')}` : 'of an unknown version';
    throw new FwError('qemu-too-old', `${file} is ${found}`, {
      where: file,
      expected: `QEMU ${MIN_QEMU} or newer: older ones hang on the kernels of Debian 13`,
      remedy: installHint(program),
    });
  }
  return { path: file, version };
}
