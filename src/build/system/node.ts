import { unpackTar } from 'modern-tar';
import { FwError } from '../../errors.ts';
import { readElf, stripElf } from '../../formats/elf.ts';
import type { Lock } from '../lock.ts';
import type { Arch } from '../target.ts';
import type { PickedFile } from './picks.ts';

/** The pinned Node and its licence, without its debug information (a sixth of its size), out of its npm package. */
export async function pickNode(lock: Lock, arch: Arch, tar: Uint8Array): Promise<PickedFile[]> {
  const wanted = new Map([
    ['package/bin/node', 'usr/bin/node'],
    ['package/LICENSE', 'usr/share/doc/nodejs/copyright'],
  ]);
  const entries = await unpackTar(tar, { filter: ({ name }) => wanted.has(name) });
  const missing = [...wanted.keys()].find((name) => !entries.some(({ header }) => header.name === name));
  if (missing) {
    throw new FwError('file-not-in-package', `${lock.node.package}@${lock.node.version} has no ${missing}`, {
      where: lock.node.package,
      expected: missing,
      remedy: 'Pin another version of the package in the lock.',
    });
  }
  return entries.flatMap(({ header, data }): PickedFile[] => {
    const path = wanted.get(header.name);
    if (!path || !data) return [];
    if (path !== 'usr/bin/node') return [{ path, type: 'file', mode: 0o644, bytes: data }];
    checkMachine(data, arch, lock);
    return [{ path, type: 'file', mode: 0o755, bytes: stripElf(data) }];
  });
}

function checkMachine(program: Uint8Array, arch: Arch, lock: Lock): void {
  const { machine } = readElf(program);
  if (machine === arch) return;
  throw new FwError('elf-wrong-arch', `${lock.node.package}@${lock.node.version} is for ${machine}`, {
    where: 'bin/node',
    expected: `a program for ${arch}`,
    remedy: "Correct the target's lock.",
  });
}
