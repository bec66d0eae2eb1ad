import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { FwError } from '../../errors.ts';

/**
 * The base addresses, without a trailing slash, under which an archive's files are tried, in order: those of
 * HEARTH_DEBIAN_MIRROR, else those of the machine's own apt sources.
 * @throws FwError `no-mirror`
 */
export function mirrors(
  archive: 'debian' | 'debian-security',
  env: NodeJS.ProcessEnv = process.env,
  aptFolder = '/etc/apt',
): string[] {
  const wanted = env.HEARTH_DEBIAN_MIRROR;
  if (wanted)
    return wanted
      .split(/[\s,]+/)
      .filter(Boolean)
      .map((base) => withArchive(base, archive));
  const texts = aptSources(aptFolder);
  const named = (name: string): string[] => [...new Set(texts.flatMap((text) => addresses(text, name)))];
  const found = named(archive);
  // A minimal Debian names the main archive alone.
  if (found.length === 0) found.push(...named('debian').map((base) => withArchive(base, archive)));
  if (found.length > 0) return found;
  throw new FwError('no-mirror', `no Debian mirror is known for the ${archive} archive`, {
    where: `${aptFolder}/sources.list and sources.list.d`,
    expected: 'a machine whose apt sources name a Debian mirror, or a mirror in the environment',
    remedy: 'Set HEARTH_DEBIAN_MIRROR to the address of a Debian mirror (the folder above dists/ and pool/).',
  });
}

/**
 * A mirror given by hand, or by a minimal apt, is of the main archive; its security archive is the folder beside it, by convention. The
 * snapshot archive has a date below either: …/archive/debian/20261101T000000Z.
 */
function withArchive(base: string, archive: string): string {
  const trimmed = base.replace(/\/+$/, '');
  return archive === 'debian-security'
    ? trimmed.replace(/\/debian(\/\d{8}T\d{6}Z)?$/, '/debian-security$1')
    : trimmed;
}

/** The addresses in one apt source file (deb822 or one-line style) whose last folder is the archive's name. */
export function addresses(text: string, archive: string): string[] {
  const uncommented = text.replace(/#.*$/gm, '');
  const stanzas = uncommented
    .split(/\n[ \t]*\n/)
    .filter((stanza) => !/^Enabled:\s*(no|false|off|0)\s*$/im.test(stanza));
  const urls = stanzas.join('\n').match(/https?:\/\/[^\s\]]+/g) ?? [];
  return urls.map((url) => url.replace(/\/+$/, '')).filter((url) => url.endsWith(`/${archive}`));
}

/** The texts of the machine's apt source files; none where there is no apt. */
export function aptSources(aptFolder = '/etc/apt'): string[] {
  const folder = join(aptFolder, 'sources.list.d');
  const files = [...list(folder).map((name) => join(folder, name)), join(aptFolder, 'sources.list')];
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
