import { FwError } from '../../errors.ts';
import type { Lock, LockedPackage } from '../lock.ts';
import type { Target } from '../target.ts';

export function lockedPackage(target: Target, lock: Lock, name: string): LockedPackage {
  const found = lock.packages.find((pkg) => pkg.name === name);
  if (found) return found;
  throw lockLacks(target, name);
}

/** A lock's first package is the kernel: the only one whose name changes with its version. */
export function kernelPackage(target: Target, lock: Lock): LockedPackage {
  const [first] = lock.packages;
  if (first) return first;
  throw lockLacks(target, 'a kernel');
}

export function lockLacks(target: Target, what: string): FwError {
  return new FwError('lock-incomplete', `the lock of ${target.name} lacks ${what}`, {
    where: `targets/${target.name}/lock.json`,
    remedy: 'Install hearthfw again; in a checkout of Hearth, run `npm run lock`.',
  });
}
