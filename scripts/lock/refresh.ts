import { stat } from 'node:fs/promises';
import pins from '../../bin/node.json' with { type: 'json' };
import type { Cache } from '../../src/build/cache.ts';
import type { Lock, LockedPackage } from '../../src/build/lock.ts';
import { fetchNode, nodePath } from '../../src/build/sources/node-package.ts';
import type { Arch, Target } from '../../src/build/target.ts';
import { choosePackages, isKernel, newestOfEach } from './choose.ts';
import { type ArchiveReader, readPackages, readSuite, SUITES } from './debian-archive.ts';
import { debianOrder } from './version-order.ts';

/** What Debian has now of the packages that the targets want. */
export interface Indexes {
  /** Of the newest release file. */
  date: Date;
  newest: Map<Arch, Map<string, LockedPackage>>;
}

export async function readIndexes(targets: Target[], reader: ArchiveReader): Promise<Indexes> {
  const suites = [];
  for (const suite of SUITES) suites.push(await readSuite(suite, reader));
  const newest = new Map<Arch, Map<string, LockedPackage>>();
  for (const arch of new Set(targets.map((target) => target.arch))) {
    const names = new Set(targets.flatMap(({ packages }) => packages.map(({ name }) => name)));
    const wanted = (name: string): boolean => names.has(name) || isKernel(name, arch);
    const found: LockedPackage[] = [];
    for (const suite of suites) found.push(...(await readPackages(suite, arch, wanted)));
    newest.set(arch, newestOfEach(found, debianOrder));
  }
  return { date: new Date(Math.max(...suites.map(({ release }) => release.date.getTime()))), newest };
}

/**
 * A target's lock of what Debian has now, without an archive. Where no package has other bytes the date stays: it is
 * in every file that is built, and firmware must not change because a day has passed, or a package has moved.
 */
export async function lockFrom(
  target: Target,
  before: Lock | undefined,
  { date, newest }: Indexes,
  cache: Cache,
): Promise<Lock> {
  const { kernel, packages } = choosePackages(target, newest.get(target.arch) ?? new Map(), debianOrder);
  const node = await lockedNode(target, before, cache);
  const unchanged =
    before &&
    before.node.integrity === node.integrity &&
    JSON.stringify(before.packages.map(bytesOf)) === JSON.stringify(packages.map(bytesOf));
  return {
    target: target.name,
    date: unchanged ? before.date : date.toISOString(),
    kernel,
    node,
    packages,
  };
}

function bytesOf({ name, sha256 }: LockedPackage): string[] {
  return [name, sha256];
}

async function lockedNode(target: Target, before: Lock | undefined, cache: Cache): Promise<Lock['node']> {
  const { name, integrity } = pins.packages[target.arch === 'x86_64' ? 'linux-x64' : 'linux-arm64'];
  if (before?.node.integrity === integrity) return before.node;
  const node = { package: name, version: pins.version, integrity, size: 0 };
  // npm's registry does not say how large a tarball is.
  await fetchNode(node, cache);
  return { ...node, size: (await stat(nodePath(node, cache))).size };
}
