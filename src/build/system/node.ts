import { unpackTar } from 'modern-tar';
import { FwError } from '../../errors.ts';
import { readElf, stripElf } from '../../formats/elf.ts';
import type { DirNode } from '../../formats/tree.ts';
import type { Cache } from '../cache.ts';
import type { Lock } from '../lock.ts';
import { fetchNode } from '../sources/fetch.ts';
import type { Arch } from '../target.ts';
import { file, insert } from '../tree.ts';

/** The pinned Node and its licence, without its debug information (a sixth of its size). */
export async function addNode(lock: Lock, arch: Arch, cache: Cache, root: DirNode): Promise<void> {
  const tar = await fetchNode(lock.node, cache);
  const wanted = new Map([
    ['package/bin/node', 'usr/bin/node'],
    ['package/LICENSE', 'usr/share/doc/nodejs/copyright'],
  ]);
  const entries = await unpackTar(tar, { filter: ({ name }) => wanted.has(name) });
  for (const { header, data } of entries) {
    const path = wanted.get(header.name);
    if (!path || !data) continue;
    const program = path === 'usr/bin/node';
    if (program) checkMachine(data, arch, lock);
    insert(root, path, program ? file(stripElf(data), 0o755) : file(data));
  }
  const missing = [...wanted.keys()].find((name) => !entries.some(({ header }) => header.name === name));
  if (missing) {
    throw new FwError('file-not-in-package', `${lock.node.package}@${lock.node.version} has no ${missing}`, {
      where: lock.node.package,
      expected: missing,
      remedy: 'Pin another version of the package in the lock.',
    });
  }
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
