import { FormatError } from '../../errors.ts';

const SUFFIX = /\.ko(\.(gz|xz|zst))?$/;
const PACKED = /(\.ko)\.(gz|xz|zst)$/;

/** True for the path of a kernel module, packed or not. */
export function isModulePath(path: string): boolean {
  return SUFFIX.test(path);
}

/**
 * The name by which the kernel knows a module, from its name or its file's path: `-` and `_` are the same in
 * names of modules, and the kernel writes `_` (`i2c-dev.ko.xz` is `i2c_dev`).
 */
export function moduleName(nameOrPath: string): string {
  return nameOrPath
    .slice(nameOrPath.lastIndexOf('/') + 1)
    .replace(SUFFIX, '')
    .replaceAll('-', '_');
}

/** The path that a module's file has once it is unpacked: `…/i2c-dev.ko` for `…/i2c-dev.ko.xz`. */
export function unpackedPath(path: string): string {
  return path.replace(PACKED, '$1');
}

/** The names in a kernel's `modules.builtin`, which has a path on each line. */
export function parseModulesBuiltin(text: string): Set<string> {
  const paths = text.split('\n').map((line) => line.trim());
  return new Set(paths.filter(isModulePath).map(moduleName));
}

/**
 * Paths by module name, of those paths that are modules'.
 * @throws {FormatError} `bad-kmod` when two files have the same module's name.
 */
export function modulesByName(paths: Iterable<string>): Map<string, string> {
  const byName = new Map<string, string>();
  for (const path of paths) {
    if (!isModulePath(path)) continue;
    const name = moduleName(path);
    const other = byName.get(name);
    if (other !== undefined) {
      throw new FormatError('kmod', `two files are the module ${name}`, { where: `${other} and ${path}` });
    }
    byName.set(name, path);
  }
  return byName;
}
