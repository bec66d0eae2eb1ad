import { readModuleInfo, softDependencies } from './modinfo.ts';
import { moduleName, unpackedPath } from './names.ts';
import { loadOrder, type Module, missingModule } from './order.ts';

export interface ModuleSource {
  /** Where each module's file is, by normalised name (`modulesByName`); packed files too (`….ko.xz`). */
  paths: ReadonlyMap<string, string>;
  /** Names of what is built into the kernel (`parseModulesBuiltin`). */
  builtin: ReadonlySet<string>;
  /** The unpacked bytes of the file at one of `paths`. Called once for each module of the closure, and no other. */
  read: (path: string) => Promise<Uint8Array>;
}

export interface ClosedModule extends Module {
  /** The unpacked module. */
  bytes: Uint8Array;
}

export interface Closure {
  /** In an order in which they can be loaded. */
  modules: ClosedModule[];
  /** Wanted modules that are built into the kernel. */
  builtin: string[];
  /**
   * Soft dependencies that are neither a module's name nor built in. Mostly aliases (`crypto-crc32c`), which the
   * kernel resolves when it needs them: to ship the module behind one, list it among the wanted.
   */
  unresolved: { name: string; by: string }[];
}

/**
 * The wanted modules, and whatever they depend on, softly or not. Names may be written with `-` or `_`.
 * @throws {FwError} `missing-module` for a wanted module or dependency that the kernel does not have, `module-loop`.
 * @throws {FormatError} when a file is not a module.
 */
export async function closure(
  wanted: Iterable<string>,
  { paths, builtin, read }: ModuleSource,
): Promise<Closure> {
  const modules = new Map<string, ClosedModule>();
  const wantedBuiltin = new Set<string>();
  const unresolved: Closure['unresolved'] = [];
  const work: { name: string; by?: string }[] = [...wanted].map((name) => ({ name: moduleName(name) }));
  for (const { name, by } of work) {
    if (modules.has(name)) continue;
    const path = paths.get(name);
    if (path === undefined) {
      if (!builtin.has(name)) throw missingModule(name, by);
      if (by === undefined) wantedBuiltin.add(name);
      continue;
    }
    const bytes = await read(path);
    const found = readModuleInfo(bytes, path);
    // What is in the kernel need not be loaded, and has no line in any index.
    const info = { ...found, depends: found.depends.filter((each) => paths.has(each) || !builtin.has(each)) };
    modules.set(name, { path: unpackedPath(path), info, bytes });
    const { pre, post } = softDependencies(info);
    for (const each of [...pre, ...post]) {
      if (paths.has(each)) work.push({ name: each, by: name });
      else if (!builtin.has(each)) unresolved.push({ name: each, by: name });
    }
    for (const each of info.depends) work.push({ name: each, by: name });
  }
  return { modules: loadOrder(modules.keys(), modules), builtin: [...wantedBuiltin], unresolved };
}
