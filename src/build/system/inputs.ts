import { sha256 } from '../hash.ts';
import type { Lock } from '../lock.ts';
import type { Target } from '../target.ts';
import type { LoadedTarget } from '../targets.ts';
import { pickKernel } from './kernel.ts';
import { kernelPackage, lockedPackage } from './locked.ts';
import { pickNode } from './node.ts';
import { type FetchPackage, type PickedFile, pickFiles } from './picks.ts';

/**
 * All that a system takes from others: picked files by package, Node's under the name of its npm package. Nothing of
 * ours is in it, and nothing is made of it yet: so it stays as it is while heart, the skeleton and what makes
 * systems change.
 */
export type SystemInputs = ReadonlyMap<string, readonly PickedFile[]>;

/** Where packages come from: their bytes have the locked hash. */
export interface Downloads {
  package: FetchPackage;
  /** The pinned Node's npm package, uncompressed (a tar). */
  node(node: Lock['node']): Promise<Uint8Array>;
}

/** Picks from the packages of a lock what the target takes. `tell` is told which package is being unpacked. */
export async function pickInputs(
  { target, lock }: LoadedTarget,
  downloads: Downloads,
  tell: (name: string) => void,
): Promise<SystemInputs> {
  const inputs = new Map<string, readonly PickedFile[]>();
  for (const pick of target.packages) {
    tell(pick.name);
    inputs.set(pick.name, await pickFiles(pick, lockedPackage(target, lock, pick.name), downloads.package));
  }
  tell(lock.node.package);
  inputs.set(lock.node.package, await pickNode(lock, target.arch, await downloads.node(lock.node)));
  const kernel = kernelPackage(target, lock);
  tell(kernel.name);
  inputs.set(kernel.name, await pickKernel(target, lock, downloads.package));
  return inputs;
}

/** A hash of which files of which packages are picked, without fetching any: equal keys have equal inputs. */
export function picksKey(target: Target, lock: Lock): string {
  const { packages, modules, boot, arch } = target;
  return sha256(
    JSON.stringify({
      arch,
      picks: packages.map(({ name, files }) => [name, files]),
      modules: [modules.watchdog, modules.always, modules.root, modules.device],
      dtbs: boot.family === 'pi' ? boot.dtbs : [],
      kernel: lock.kernel,
      node: lock.node.integrity,
      packages: lock.packages.map((pkg) => [pkg.name, pkg.sha256]),
    }),
  );
}
