import type { Lock, LockedPackage } from '../../src/build/lock.ts';
import type { Arch, Target } from '../../src/build/target.ts';
import type { VersionOrder } from './version-order.ts';

/** The long-term kernel of Debian 13; its package is named after each version. */
const KERNEL: Record<Arch, RegExp> = {
  x86_64: /^linux-image-(6\.12\.[^-]+-amd64)$/,
  aarch64: /^linux-image-(6\.12\.[^-]+-arm64)$/,
};

export function isKernel(name: string, arch: Arch): boolean {
  return KERNEL[arch].test(name);
}

/** Each name's newest version; of equal ones the first, so that what the main archive has is taken from there. */
export function newestOfEach(
  candidates: Iterable<LockedPackage>,
  order: VersionOrder,
): Map<string, LockedPackage> {
  const newest = new Map<string, LockedPackage>();
  for (const candidate of candidates) {
    const best = newest.get(candidate.name);
    if (!best || (candidate.version !== best.version && order(candidate.version, best.version) > 0))
      newest.set(candidate.name, candidate);
  }
  return newest;
}

/** A target's packages, its kernel first. */
export function choosePackages(
  target: Target,
  newest: ReadonlyMap<string, LockedPackage>,
  order: VersionOrder,
): Pick<Lock, 'kernel' | 'packages'> {
  const [kernel] = [...newest.values()]
    .filter(({ name }) => isKernel(name, target.arch))
    .sort((a, b) => order(b.version, a.version));
  const release = kernel && KERNEL[target.arch].exec(kernel.name)?.[1];
  if (!release) throw new Error(`${target.name}: Debian has no kernel for ${target.arch}`);
  const chosen = target.packages.map(({ name }) => {
    const candidate = newest.get(name);
    if (!candidate) throw new Error(`${target.name}: Debian has no package ${name}`);
    return candidate;
  });
  return { kernel: release, packages: [kernel, ...chosen] };
}

/**
 * What would go back to an older date or version. Debian does not: either the mirror is old, or somebody wants an
 * old hole to be open again, with signatures that were good once.
 */
export function backwards(before: Lock, after: Lock, order: VersionOrder): string[] {
  const [kernel, ...others] = after.packages;
  const old = new Map(before.packages.map((pkg) => [pkg.name, pkg]));
  const pairs = others.map((pkg) => [old.get(pkg.name), pkg] as const);
  const versions = [[before.packages[0], kernel] as const, ...pairs].flatMap(([was, is]) =>
    was && is && was.version !== is.version && order(is.version, was.version) < 0
      ? [`${is.name}: ${was.version} -> ${is.version}`]
      : [],
  );
  const dates = after.date < before.date ? [`the newest index: ${before.date} -> ${after.date}`] : [];
  return [...dates, ...versions];
}

/** Where a lock does not have what its target takes; `npm run lock -- --check` and a unit test ask. */
export function unfit(target: Target, lock: Lock): string[] {
  const wanted = target.packages.map(({ name }) => name);
  const locked = lock.packages.slice(1).map(({ name }) => name);
  return [
    ...wanted.filter((name) => !locked.includes(name)).map((name) => `${name} is not locked`),
    ...locked.filter((name) => !wanted.includes(name)).map((name) => `${name} is locked, and not wanted`),
  ];
}
