import {
  type KernelModule,
  loadOrder,
  moduleClosure,
  moduleIndexes,
  moduleName,
  modulesByName,
  parseModulesBuiltin,
} from '../../formats/kmod/index.ts';
import { isXz, xzDecompress } from '../../formats/xz.ts';
import { LOAD_LIST_SIZE } from '../../update/layout.ts';
import type { Modules } from '../target.ts';

/** A module of the initramfs, under its bare file name. */
export interface BootModule {
  file: string;
  bytes: Uint8Array;
}

export interface PickedModules {
  /** For the root: modules and their indexes, by path below /lib/modules/RELEASE. */
  files: Map<string, Uint8Array>;
  boot: BootModule[];
  /** `/modules/load` of the initramfs. */
  loadList: string;
}

/** What a kernel's package says of its modules, beside the modules. */
export const MODULE_LISTS = ['modules.builtin', 'modules.builtin.modinfo', 'modules.order'];

/**
 * The modules that a target lists, with their dependencies, out of the kernel's package; uncompressed, because
 * squashfs compresses them better together and heart then loads them without an unpacker.
 * @param prefix of the modules' folder in the package
 */
export async function wantedModules(
  wanted: Modules,
  prefix: string,
  files: ReadonlyMap<string, Uint8Array>,
): Promise<Map<string, KernelModule>> {
  const inPackage = [...files.keys()]
    .filter((path) => path.startsWith(prefix))
    .map((path) => path.slice(prefix.length));
  const file = (path: string): Uint8Array => files.get(prefix + path) ?? new Uint8Array();
  const inBoot = [...wanted.watchdog, 'softdog', ...wanted.always, ...wanted.root];
  return moduleClosure([...inBoot, ...wanted.device], {
    paths: modulesByName(inPackage),
    builtin: parseModulesBuiltin(Buffer.from(file('modules.builtin')).toString('utf8')),
    read: async (path) => (isXz(file(path)) ? xzDecompress(file(path)) : file(path)),
  });
}

/** The same, with their indexes, and what of them goes into the initramfs. */
export async function pickModules(
  wanted: Modules,
  prefix: string,
  files: ReadonlyMap<string, Uint8Array>,
): Promise<PickedModules> {
  const modules = await wantedModules(wanted, prefix, files);
  const out = new Map<string, Uint8Array>();
  for (const { path, bytes } of modules.values()) out.set(path, bytes);
  for (const [name, index] of moduleIndexes(modules)) out.set(name, Buffer.from(index));
  for (const name of MODULE_LISTS) out.set(name, files.get(prefix + name) ?? new Uint8Array());
  const { lines, needed } = loadList(wanted, modules);
  const list = lines.join('');
  if (list.length >= LOAD_LIST_SIZE) throw new Error(`the initramfs's module list has ${list.length} bytes`);
  const boot = [...needed].flatMap((name) => {
    const module = modules.get(name);
    return module ? [{ file: `${name}.ko`, bytes: module.bytes }] : [];
  });
  return { files: out, boot, loadList: list };
}

/** One line a pattern: STAGE PATTERN FILE[,FILE…] [PARAMETER…] (docs/device.md). */
function loadList(
  wanted: Modules,
  modules: ReadonlyMap<string, KernelModule>,
): { lines: string[]; needed: Set<string> } {
  const lines: string[] = [];
  const needed = new Set<string>();
  const add = (stage: string, name: string, patterns: (module: KernelModule) => string[]): void => {
    const module = modules.get(moduleName(name));
    if (!module) return; // built into this kernel
    const order = [...loadOrder(module.info.name, modules), module.info.name];
    for (const each of order) needed.add(each);
    const list = order.map((each) => `${each}.ko`).join(',');
    // Bus drivers that a watchdog hangs on are in its list too; they know no `nowayout`.
    const parameters = module.path.includes('/watchdog/') ? ' nowayout=1' : '';
    for (const pattern of patterns(module)) lines.push(`${stage} ${pattern} ${list}${parameters}\n`);
  };
  const byHardware = ({ info }: KernelModule): string[] =>
    info.aliases.filter((alias) => alias.includes(':'));
  const always = (): string[] => ['*'];
  for (const name of wanted.watchdog) add('watchdog', name, byHardware);
  add('watchdog-fallback', 'softdog', always);
  for (const name of wanted.always) add('always', name, always);
  for (const name of wanted.root) add('root', name, byHardware);
  return { lines, needed };
}
