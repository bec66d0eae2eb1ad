import { spdxId } from './spdx.ts';

/**
 * Licences from Debian's machine-readable copyright files (DEP-5).
 * Source: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/
 */

/** Short names of that format which are not SPDX ids in another case. GPL's family is below. */
const OTHER_NAMES: Readonly<Record<string, string>> = {
  'apache-2': 'Apache-2.0',
  cc0: 'CC0-1.0',
  expat: 'MIT',
  // "The same terms as Perl itself", the format says of it.
  perl: '(Artistic-1.0-Perl OR GPL-1.0-or-later)',
};
const EXCEPTION_NAMES: Readonly<Record<string, string>> = { 'linux-syscall-note': 'Linux-syscall-note' };

/**
 * Every licence that a copyright file declares, as SPDX expressions, each once, sorted.
 * @returns undefined when the file is not in the machine-readable format: then people have to read it
 */
export function copyrightLicences(text: string): string[] | undefined {
  const paragraphs = text.split(/\n(?:[ \t]*\n)+/).map(fields);
  const [header] = paragraphs;
  if (!/copyright-format\/1\.0|\bdep5?\b/i.test(header?.get('format') ?? '')) return undefined;
  const names = paragraphs
    // What stands alone gives the text of a licence that others name.
    .filter((paragraph, index) => index === 0 || paragraph.has('files'))
    .flatMap((paragraph) => paragraph.get('license') ?? [])
    .filter((name) => name !== '');
  // All of them hold together, so that what is joined by AND need not be repeated in every combination.
  const parts = names
    .map(licenceExpression)
    .flatMap((each) => (/[(]| OR /.test(each) ? each : each.split(' AND ')));
  return [...new Set(parts)].sort();
}

/** A paragraph's fields, lower case, with the first line of each: what a licence is called. */
function fields(paragraph: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const line of paragraph.split('\n')) {
    const [, name, value] = /^([A-Za-z][A-Za-z-]*):[ \t]*(.*)$/.exec(line) ?? [];
    if (name !== undefined) found.set(name.toLowerCase(), (value ?? '').trim());
  }
  return found;
}

/** `GPL-2+ or Expat, and ISC` -> `(GPL-2.0-or-later OR MIT) AND ISC`: a comma binds least there. */
export function licenceExpression(text: string): string {
  const [first = '', ...rest] = text.split(/,\s+(and|or)\s+/i);
  if (rest.length === 0) return compound(first);
  const groups = [first, ...rest.filter((_, i) => i % 2 === 1)].map(compound);
  const operators = rest.filter((_, i) => i % 2 === 0).map((word) => word.toUpperCase());
  return groups
    .map((group) => (group.includes(' ') ? `(${group})` : group))
    .reduce((left, group, i) => `${left} ${operators[i - 1]} ${group}`);
}

function compound(text: string): string {
  return text
    .split(/\s+(and|or)\s+/i)
    .map((part, i) => (i % 2 === 1 ? part.toUpperCase() : single(part.trim())))
    .join(' ');
}

function single(text: string): string {
  const [, name = text, exception] = /^(\S+)\s+with\s+(.+?)(?:\s+exception)?$/i.exec(text) ?? [];
  if (exception === undefined) return named(name) ?? reference(text);
  const known = EXCEPTION_NAMES[exception.toLowerCase()];
  const licence = named(name);
  return known && licence ? `${licence} WITH ${known}` : reference(text);
}

function named(name: string): string | undefined {
  const [, family, version, later] = /^(A?GPL|LGPL)-(\d(?:\.\d)?)(?:\.0)?(\+)?$/i.exec(name) ?? [];
  if (family && version) {
    const full = version.includes('.') ? version : `${version}.0`;
    return spdxId(`${family}-${full}-${later ? 'or-later' : 'only'}`);
  }
  return OTHER_NAMES[name.toLowerCase()] ?? spdxId(name);
}

/** What SPDX has no name for keeps the one it has, in the letters that such a reference may have. */
function reference(text: string): string {
  const letters = text
    .replaceAll('+', '-or-later')
    .replaceAll(/[^A-Za-z0-9.-]+/g, '-')
    .replaceAll(/^-+|-+$/g, '');
  return `LicenseRef-${letters || 'unnamed'}`;
}
