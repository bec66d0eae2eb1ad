import { FwError } from '../../errors.ts';
import { type ModuleInfo, softDependencies } from './modinfo.ts';

/** A module, and where its unpacked file belongs below /lib/modules/RELEASE: `kernel/fs/ext4/ext4.ko`. */
export interface Module {
  path: string;
  info: ModuleInfo;
}

/** Modules by normalised name. */
export function byName<M extends Module>(modules: Iterable<M>): Map<string, M> {
  return new Map([...modules].map((module) => [module.info.name, module]));
}

/**
 * The named modules and what must be loaded before them, in the order of loading: dependencies, theirs, and the
 * soft ones (`pre:`) that are in the set. Each module once; with one name, that module is the last.
 * @param modules by normalised name: a closure, in which every dependency is found.
 * @throws {FwError} `missing-module`, `module-loop`.
 */
export function loadOrder<M extends Module>(names: Iterable<string>, modules: ReadonlyMap<string, M>): M[] {
  return order(names, modules, (info) => softDependencies(info).pre);
}

/** The same without soft dependencies: only what the kernel insists on. */
export function hardOrder<M extends Module>(names: Iterable<string>, modules: ReadonlyMap<string, M>): M[] {
  return order(names, modules, () => []);
}

function order<M extends Module>(
  names: Iterable<string>,
  modules: ReadonlyMap<string, M>,
  wishes: (info: ModuleInfo) => string[],
): M[] {
  const ordered = new Map<string, M>();
  const loading: string[] = [];
  const visit = (name: string, by: string | undefined): void => {
    if (ordered.has(name)) return;
    if (loading.includes(name)) throw loop([...loading.slice(loading.indexOf(name)), name]);
    const module = modules.get(name);
    if (!module) throw missingModule(name, by);
    loading.push(name);
    for (const dependency of module.info.depends) visit(dependency, name);
    for (const wish of wishes(module.info)) {
      // A wish that itself needs what is being loaded cannot come before it, and is no reason to fail.
      const late = loading.includes(wish) || needsAny(wish, loading, modules);
      if (modules.has(wish) && !late) visit(wish, name);
    }
    loading.pop();
    ordered.set(name, module);
  };
  for (const name of names) visit(name, undefined);
  return [...ordered.values()];
}

/** Whether a module depends, directly or not, on one of the given ones. */
function needsAny(name: string, others: readonly string[], modules: ReadonlyMap<string, Module>): boolean {
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
    {
      expected: 'a kernel package whose modules can be loaded',
    },
  );
}
