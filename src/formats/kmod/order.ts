import { FwError } from '../../errors.ts';
import { type ModuleInfo, softDependencies } from './modinfo.ts';

type Modules = ReadonlyMap<string, { info: ModuleInfo }>;

/**
 * The names of what must be loaded before a module, in the order of loading: its dependencies, theirs, and the
 * soft ones (`pre:`) that are in the set. The module itself is not in the list.
 * @param modules by normalised name: a closure, in which every dependency is found.
 * @throws {FwError} `missing-module`, `module-loop`.
 */
export function loadOrder(name: string, modules: Modules): string[] {
  return order(name, modules, (info) => softDependencies(info).pre);
}

/** The same without soft dependencies: what the kernel itself insists on. */
export function hardOrder(name: string, modules: Modules): string[] {
  return order(name, modules, () => []);
}

function order(name: string, modules: Modules, soft: (info: ModuleInfo) => string[]): string[] {
  const ordered = new Set<string>();
  const loading: string[] = [];
  const visit = (name: string, by: string | undefined): void => {
    if (ordered.has(name)) return;
    if (loading.includes(name)) throw loop([...loading.slice(loading.indexOf(name)), name]);
    const info = modules.get(name)?.info;
    if (!info) throw missingModule(name, by);
    loading.push(name);
    for (const dependency of info.depends) visit(dependency, name);
    for (const wish of soft(info)) {
      // A wish that itself needs what is being loaded cannot come before it, and is no reason to fail.
      const late = loading.includes(wish) || needsAny(wish, loading, modules);
      if (modules.has(wish) && !late) visit(wish, name);
    }
    loading.pop();
    ordered.add(name);
  };
  visit(name, undefined);
  ordered.delete(name);
  return [...ordered];
}

/** Whether a module depends, directly or not, on one of the given ones. */
function needsAny(name: string, others: readonly string[], modules: Modules): boolean {
  const seen = new Set([name]);
  for (const next of seen) {
    for (const dependency of modules.get(next)?.info.depends ?? []) {
      if (others.includes(dependency)) return true;
      seen.add(dependency);
    }
  }
  return false;
}

export function missingModule(name: string, by: string | undefined): FwError {
  return new FwError('missing-module', `there is no kernel module ${name}`, {
    ...(by === undefined ? {} : { where: `a dependency of ${by}` }),
    expected: 'a module of the kernel package, or one that is built into the kernel',
    remedy: "Correct the target's list of modules: another version of the kernel may have renamed it.",
  });
}

function loop(names: string[]): FwError {
  return new FwError(
    'module-loop',
    `kernel modules depend on one another in a circle: ${names.join(' -> ')}`,
  );
}
