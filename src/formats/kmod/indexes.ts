import { isModulePath, moduleName } from './names.ts';
import { byName, hardOrder, type Module } from './order.ts';

// The text indexes of depmod(8) that busybox's and kmod's modprobe read, each the same bytes whatever the order of
// the input. Left out: kmod's binary copies (.bin), which it does without; modules.symbols, whose aliases
// `symbol:NAME` nothing asks for; modules.builtin* and modules.order, which come with the kernel.

/**
 * `modules.dep` (modules.dep(5)): a line for each module, with all that it depends on, directly or not. Loaders go
 * through a line from right to left.
 * @throws {FwError} `missing-module` when a dependency is not among the modules, `module-loop`.
 */
export function modulesDep(modules: Iterable<Module>): string {
  const sorted = sortByPath(modules);
  const all = byName(sorted);
  const lines = sorted.map(({ path, info }) => {
    const needed = hardOrder([info.name], all).slice(0, -1).reverse();
    return `${[`${path}:`, ...needed.map((module) => module.path)].join(' ')}\n`;
  });
  return lines.join('');
}

/** `modules.alias`: which module serves a pattern for hardware, or another name. */
export function modulesAlias(modules: Iterable<Module>): string {
  const lines = sortByPath(modules).flatMap(({ info }) =>
    info.aliases.map((alias) => `alias ${alias} ${info.name}\n`),
  );
  return `# Aliases extracted from modules themselves.\n${lines.join('')}`;
}

/** `modules.softdep`: what modprobe loads before and after a module, where it is there. */
export function modulesSoftdep(modules: Iterable<Module>): string {
  const lines = sortByPath(modules).flatMap(({ info }) =>
    info.softdeps.map((soft) => `softdep ${info.name} ${soft}\n`),
  );
  return `# Soft dependencies extracted from modules themselves.\n${lines.join('')}`;
}

/** The names in a kernel's `modules.builtin`, which has a path on each line. */
export function parseModulesBuiltin(text: string): Set<string> {
  const paths = text.split('\n').map((line) => line.trim());
  return new Set(paths.filter(isModulePath).map(moduleName));
}

function sortByPath(modules: Iterable<Module>): Module[] {
  return [...modules].sort((a, b) => (a.path < b.path ? -1 : a.path > b.path ? 1 : 0));
}
