import { type ModuleInfo, readModuleInfo, softDependencies } from './modinfo.ts';
import { moduleName, unpackedPath } from './names.ts';
import { missingModule } from './order.ts';

export interface KernelModule {
  /** Where the unpacked file belongs, below /lib/modules/RELEASE: `kernel/fs/ext4/ext4.ko`. */
  path: string;
  info: ModuleInfo;
  /** The unpacked module. */
  bytes: Uint8Array;
}

export interface ModuleSource {
  /** Where each module's file is, by normalised name (`modulesByName`); packed files too (`….ko.xz`). */
  paths: ReadonlyMap<string, string>;
  /** Names of what is built into the kernel (`parseModulesBuiltin`). */
  builtin: ReadonlySet<string>;
  /** The unpacked bytes of the file at one of `paths`. Called once for each module of the closure, and no other. */
  read: (path: string) => Promise<Uint8Array>;
}

/**
 * The wanted modules and all that they depend on, by normalised name. Names may be written with `-` or `_`; what is
 * built into the kernel is left out. Soft dependencies are taken when they are names of modules; where they are
 * aliases (`crypto-crc32c`), the kernel asks for them at run time, so list the module behind them as wanted.
 * @throws {FwError} `missing-module` for a wanted module or a dependency that the kernel does not have.
 * @throws {FormatError} when a file is not a module.
 */
export async function moduleClosure(
  wanted: Iterable<string>,
  { paths, builtin, read }: ModuleSource,
): Promise<Map<string, KernelModule>> {
  const modules = new Map<string, KernelModule>();
  const work: { name: string; by?: string }[] = [...wanted].map((name) => ({ name: moduleName(name) }));
  for (const { name, by } of work) {
    if (modules.has(name)) continue;
    const path = paths.get(name);
    if (path === undefined) {
      if (builtin.has(name)) continue;
      throw missingModule(name, by);
    }
    const bytes = await read(path);
    const found = readModuleInfo(bytes, path);
    // What is in the kernel need not be loaded, and has no line in any index.
    const info = { ...found, depends: found.depends.filter((each) => paths.has(each) || !builtin.has(each)) };
    modules.set(name, { path: unpackedPath(path), info, bytes });
    const { pre, post } = softDependencies(info);
    for (const each of [...pre, ...post]) if (paths.has(each)) work.push({ name: each, by: name });
    for (const each of info.depends) work.push({ name: each, by: name });
  }
  return modules;
}
