import type { LockedPackage } from '../../src/build/lock.ts';
import { newestOfEach } from './choose.ts';
import { type ArchiveReader, readPackages, readSuite, SUITES, type VerifiedSuite } from './debian-archive.ts';
import { debianOrder } from './version-order.ts';

/** What a module for a kernel of Debian's is compiled with; the programs among it run on x86_64. */
export interface KernelHeaders {
  /** Of the kernel's architecture, common to all, and the programs of its build. */
  headers: LockedPackage[];
  /** The C library that those programs were linked with, for machines that have an older one. */
  libc: LockedPackage;
}

/**
 * What Debian has, by its signed indexes, for the release and the package version of a kernel.
 * @param release such as 6.12.117+deb13-arm64
 * @param version of its package; others may have the same release, and other symbols
 */
export async function kernelHeaders(
  release: string,
  version: string,
  reader: ArchiveReader,
): Promise<KernelHeaders> {
  const abi = release.replace(/-[^-]+$/, '');
  const names = [`linux-headers-${release}`, `linux-headers-${abi}-common`, `linux-kbuild-${abi}`];
  const suites: VerifiedSuite[] = [];
  for (const suite of SUITES) suites.push(await readSuite(suite, reader));
  const find = async (arch: 'aarch64' | 'x86_64', wanted: (name: string) => boolean) => {
    const found: LockedPackage[] = [];
    for (const suite of suites) found.push(...(await readPackages(suite, arch, wanted)));
    return found;
  };
  const target = await find('aarch64', (name) => names.slice(0, 2).includes(name));
  const host = await find('x86_64', (name) => name === names[2] || name === 'libc6');
  const headers = names.map((name) => {
    const pkg = [...target, ...host].find((each) => each.name === name && each.version === version);
    if (pkg) return pkg;
    throw new Error(`Debian does not have ${name} ${version} any more: take its newest kernel first`);
  });
  const libc = newestOfEach(host, debianOrder).get('libc6');
  if (!libc) throw new Error('Debian has no libc6');
  return { headers, libc };
}
