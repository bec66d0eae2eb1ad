import { FormatError } from '../../errors.ts';
import { type ElfMachine, elfSections, readElf } from '../elf.ts';
import { moduleName } from './names.ts';

/** What a module says of itself in its `.modinfo` section (include/linux/module.h, modinfo(8)). */
export interface ModuleInfo {
  /** With `_` for `-`, as all names of modules here. */
  name: string;
  machine: ElfMachine;
  /** Patterns for hardware and other names that stand for this module, as written. */
  aliases: string[];
  /** Modules that must be loaded before this one. */
  depends: string[];
  /** Soft dependencies as written: `pre: NAME… post: NAME…`, names of modules or aliases. */
  softdeps: string[];
  /** Files below /lib/firmware that the driver may ask for. */
  firmware: string[];
  license: string | undefined;
  /** The kernel's release and options that the module was built for; must match the kernel's own. */
  vermagic: string | undefined;
}

/**
 * Reads an uncompressed kernel module (.ko).
 * @throws {FormatError} `bad-elf` or `bad-kmod`; `path` is for its message.
 */
export function readModuleInfo(bytes: Uint8Array, path: string): ModuleInfo {
  const section = elfSections(bytes).find(({ name }) => name === '.modinfo');
  const fields = section ? modinfoFields(section.bytes) : [];
  const all = (key: string) => fields.filter(([name]) => name === key).map(([, value]) => value);
  const [name] = all('name');
  if (!name) {
    throw new FormatError('kmod', 'this is not a kernel module', {
      where: path,
      expected: 'a section .modinfo with a name',
    });
  }
  if (moduleName(name) !== moduleName(path)) {
    throw new FormatError('kmod', `the module calls itself ${name}`, {
      where: path,
      expected: 'a file of the same name, by which others find it',
    });
  }
  return {
    name: moduleName(name),
    machine: readElf(bytes).machine,
    aliases: all('alias'),
    depends: all('depends').flatMap((value) => value.split(',').filter(Boolean).map(moduleName)),
    softdeps: all('softdep'),
    firmware: all('firmware'),
    license: all('license')[0],
    vermagic: all('vermagic')[0]?.trim(),
  };
}

/** The names in a module's soft dependencies; words before the first `pre:` or `post:` mean nothing. */
export function softDependencies(info: ModuleInfo): { pre: string[]; post: string[] } {
  const found: { pre: string[]; post: string[] } = { pre: [], post: [] };
  for (const softdep of info.softdeps) {
    let list: string[] | undefined;
    for (const word of softdep.split(/\s+/).filter(Boolean)) {
      if (word === 'pre:') list = found.pre;
      else if (word === 'post:') list = found.post;
      else list?.push(moduleName(word));
    }
  }
  return found;
}

/** `key=value` strings, each ended by NUL; linkers may leave further NULs between them. */
function modinfoFields(bytes: Uint8Array): [string, string][] {
  const text = new TextDecoder().decode(bytes);
  return text.split('\0').flatMap((entry): [string, string][] => {
    const equals = entry.indexOf('=');
    return equals > 0 ? [[entry.slice(0, equals), entry.slice(equals + 1)]] : [];
  });
}
