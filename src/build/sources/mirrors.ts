import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { FwError } from '../../errors.ts';

/** The base addresses, without a trailing slash, under which an archive's files are tried, in order. */
export function mirrors(
  archive: 'debian' | 'debian-security',
  env: NodeJS.ProcessEnv = process.env,
): string[] {
  const wanted = env.HEARTH_DEBIAN_MIRROR;
  if (wanted)
    return wanted
      .split(/[\s,]+/)
      .filter(Boolean)
      .map((base) => withArchive(base, archive));
  const found = [...new Set(aptSources().flatMap((text) => addresses(text, archive)))];
  if (found.length > 0) return found;
  throw new FwError('no-mirror', `no Debian mirror is known for the ${archive} archive`, {
    where: '/etc/apt/sources.list and sources.list.d',
    expected: 'a machine whose apt sources name a Debian mirror, or a mirror in the environment',
    remedy: 'Set HEARTH_DEBIAN_MIRROR to the address of a Debian mirror (the folder above dists/ and pool/).',
  });
}

/** A mirror given by hand names the main archive; its security archive is the folder beside it, by convention. */
function withArchive(base: string, archive: string): string {
  const trimmed = base.replace(/\/+$/, '');
  return archive === 'debian-security' ? trimmed.replace(/\/debian$/, '/debian-security') : trimmed;
}

/** The addresses in one apt source file (deb822 or one-line style) whose last folder is the archive's name. */
export function addresses(text: string, archive: string): string[] {
  const uncommented = text.replace(/^\s*#.*$/gm, '');
  const urls = uncommented.match(/https?:\/\/[^\s\]]+/g) ?? [];
  return urls.map((url) => url.replace(/\/+$/, '')).filter((url) => url.endsWith(`/${archive}`));
}

function aptSources(): string[] {
  const folder = '/etc/apt/sources.list.d';
  const files = [...list(folder).map((name) => join(folder, name)), '/etc/apt/sources.list'];
  return files.filter((path) => /\.(list|sources)$/.test(path)).flatMap((path) => read(path));
}

// A host without apt has neither folder nor file; that is not an error here, "no mirror" above is.
function list(folder: string): string[] {
  try {
    return readdirSync(folder).sort();
  } catch {
    return [];
  }
}

function read(path: string): string[] {
  try {
    return [readFileSync(path, 'utf8')];
  } catch {
    return [];
  }
}
