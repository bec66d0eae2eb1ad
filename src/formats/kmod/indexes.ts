import type { ModuleInfo } from './modinfo.ts';
import { hardOrder } from './order.ts';

interface Indexed {
  path: string;
  info: ModuleInfo;
}

/**
 * The text indexes of depmod(8), by file name, for a set of modules that has every dependency (a closure). The same
 * bytes whatever the order of the input. They are what busybox's modprobe goes by; it reads no `modules.softdep`
 * (1.37), which is for loaders that do.
 *
 * Left out: the binary copies (.bin), which are all that kmod's own modprobe reads; `modules.symbols`, whose
 * aliases `symbol:NAME` nothing asks for; `modules.builtin*` and `modules.order`, which come with the kernel.
 * @throws {FwError} `missing-module`, `module-loop`.
 */
export function moduleIndexes(modules: ReadonlyMap<string, Indexed>): Map<string, string> {
  const sorted = [...modules.values()].sort((a, b) => (a.path < b.path ? -1 : 1));
  return new Map([
    ['modules.dep', sorted.map((module) => dependencyLine(module, modules)).join('')],
    ['modules.alias', `# Aliases extracted from modules themselves.\n${lines(sorted, aliasLines)}`],
    [
      'modules.softdep',
      `# Soft dependencies extracted from modules themselves.\n${lines(sorted, softdepLines)}`,
    ],
  ]);
}

/** modules.dep(5): all that the module needs, directly or not. Loaders go from right to left. */
function dependencyLine({ path, info }: Indexed, modules: ReadonlyMap<string, Indexed>): string {
  const needed = hardOrder(info.name, modules).reverse();
  return `${[`${path}:`, ...needed.map((name) => modules.get(name)?.path ?? '')].join(' ')}\n`;
}

function aliasLines({ name, aliases }: ModuleInfo): string[] {
  return aliases.map((alias) => `alias ${alias} ${name}\n`);
}

function softdepLines({ name, softdeps }: ModuleInfo): string[] {
  return softdeps.map((softdep) => `softdep ${name} ${softdep}\n`);
}

function lines(modules: Indexed[], each: (info: ModuleInfo) => string[]): string {
  return modules.flatMap(({ info }) => each(info)).join('');
}
