import { FormatError } from '../../errors.ts';

/** UTF-16 units of a long name that one directory entry holds. */
const UNITS_PER_ENTRY = 13;
const MAX_UNITS = 255;
/** Where they lie in the entry, in bytes (Microsoft FAT specification, section 7). */
const UNIT_OFFSETS = [1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30];
const LAST_LONG_ENTRY = 0x40;
const ATTR_LONG_NAME = 0x0f;
const FORBIDDEN = /["*/:<>?\\|]/;
const SHORT_FORBIDDEN = /[^A-Z0-9$%'\-_@~`!(){}^#&]/g;

/**
 * The form under which two names are the same to FAT: every character in upper case by itself, so that 'ß'
 * stays one character.
 */
export function foldName(name: string): string {
  return name.replace(/./gsu, (char) => {
    const upper = char.toUpperCase();
    return upper.length === char.length ? upper : char;
  });
}

/** Why a name cannot be written, or undefined when it can. */
export function nameProblem(name: string): string | undefined {
  if (name === '' || name === '.' || name === '..') return 'is not a file name';
  if (name.length > MAX_UNITS)
    return `is ${name.length - MAX_UNITS} UTF-16 units too long for FAT's ${MAX_UNITS}`;
  const bad = FORBIDDEN.exec(name)?.[0] ?? [...name].find((char) => char < ' ' || char === '\x7f');
  if (bad !== undefined) return `has the character ${JSON.stringify(bad)}, which FAT forbids`;
  if (/[. ]$/.test(name)) return 'ends in a dot or a space, which FAT drops';
  if (!name.isWellFormed()) return 'has half of a surrogate pair';
  return undefined;
}

/** A name cut into base and extension at its last dot, both as upper-case characters that a short name may have. */
function shortParts(name: string): { base: string; extension: string; exact: boolean } {
  const upper = name.replace(/[a-z]+/g, (lower) => lower.toUpperCase());
  const trimmed = upper.replace(/^\.+/, '').replaceAll(' ', '');
  const dot = trimmed.lastIndexOf('.');
  const [rawBase, rawExtension] =
    dot < 0 ? [trimmed, ''] : [trimmed.slice(0, dot).replaceAll('.', ''), trimmed.slice(dot + 1)];
  const base = rawBase.replace(SHORT_FORBIDDEN, '_');
  const extension = rawExtension.replace(SHORT_FORBIDDEN, '_');
  const exact = base.length <= 8 && extension.length <= 3 && upper === base + (extension && `.${extension}`);
  return { base: base || '_', extension: extension.slice(0, 3), exact };
}

/** What one name becomes on disk. */
export interface ShortName {
  /** The 11 bytes of the directory entry, space-padded, in ASCII. */
  raw: string;
  /** Whether a long name must go before it: the short one does not say everything, case included. */
  needsLong: boolean;
}

/**
 * The short names of all entries of one directory, by long name. A name that is 8.3 but for its case keeps its
 * letters (so that a boot ROM that knows short names only finds BOOTCODE.BIN); others get a numeric tail.
 */
export function shortNames(names: readonly string[]): Map<string, ShortName> {
  const result = new Map<string, ShortName>();
  const taken = new Set<string>();
  const pad = (base: string, extension: string) => base.padEnd(8) + extension.padEnd(3);
  const others: string[] = [];
  for (const name of names) {
    const { base, extension, exact } = shortParts(name);
    if (!exact) others.push(name);
    else {
      const raw = pad(base, extension);
      taken.add(raw);
      result.set(name, { raw, needsLong: name !== base + (extension && `.${extension}`) });
    }
  }
  // Where the search for a free tail goes on, by what stands around the tail: thousands of names may share it.
  const nextTail = new Map<string, number>();
  for (const name of others) {
    const { base, extension } = shortParts(name);
    const family = `${base.slice(0, 6)}.${extension}`;
    let tail = nextTail.get(family) ?? 1;
    let raw = '';
    do {
      const suffix = `~${tail++}`;
      raw = pad(base.slice(0, 8 - suffix.length) + suffix, extension);
    } while (taken.has(raw));
    nextTail.set(family, tail);
    taken.add(raw);
    result.set(name, { raw, needsLong: true });
  }
  return result;
}

/** The checksum that ties long-name entries to their short one (specification, section 7.2). */
export function shortNameChecksum(raw: Uint8Array): number {
  return raw.subarray(0, 11).reduce((sum, byte) => (((sum & 1) << 7) + (sum >> 1) + byte) & 0xff, 0);
}

/** How many directory entries a long name takes. */
export function longEntryCount(name: string): number {
  return Math.ceil(name.length / UNITS_PER_ENTRY);
}

/** The directory entries of a long name, last part first as on disk. */
export function longEntries(name: string, checksum: number): Uint8Array[] {
  const count = longEntryCount(name);
  return Array.from({ length: count }, (_, index) => {
    const order = count - index;
    const bytes = new Uint8Array(32);
    const view = new DataView(bytes.buffer);
    bytes[0] = order | (index === 0 ? LAST_LONG_ENTRY : 0);
    bytes[11] = ATTR_LONG_NAME;
    bytes[13] = checksum;
    UNIT_OFFSETS.forEach((offset, slot) => {
      const at = (order - 1) * UNITS_PER_ENTRY + slot;
      // The name ends with one NUL, and 0xFFFF fills the rest.
      const unit = at < name.length ? name.charCodeAt(at) : at === name.length ? 0 : 0xffff;
      view.setUint16(offset, unit, true);
    });
    return bytes;
  });
}

/** Gathers long-name entries as they come by, and gives the name when the short entry that they belong to comes. */
export class LongNameCollector {
  #parts: string[] = [];
  #expected = 0;
  #checksum = -1;

  /** Takes one long-name entry; a broken sequence is forgotten, as every driver does. */
  add(entry: Uint8Array): void {
    const order = (entry[0] ?? 0) & 0x3f;
    if ((entry[0] ?? 0) & LAST_LONG_ENTRY) {
      this.#parts = [];
      this.#expected = order;
      this.#checksum = entry[13] ?? 0;
    }
    if (order === 0 || order !== this.#expected || entry[13] !== this.#checksum || order > 20) {
      this.reset();
      return;
    }
    const view = new DataView(entry.buffer, entry.byteOffset, 32);
    this.#parts.unshift(String.fromCharCode(...UNIT_OFFSETS.map((offset) => view.getUint16(offset, true))));
    this.#expected -= 1;
  }

  /** The long name that belongs to this short entry, if one does. */
  take(shortEntry: Uint8Array): string | undefined {
    const complete = this.#parts.length > 0 && this.#expected === 0;
    const name = complete ? (this.#parts.join('').split('\0')[0] ?? '') : '';
    const belongs = complete && this.#checksum === shortNameChecksum(shortEntry);
    this.reset();
    return belongs && name !== '' && name.length <= MAX_UNITS ? name : undefined;
  }

  reset(): void {
    this.#parts = [];
    this.#expected = 0;
    this.#checksum = -1;
  }
}

/** Code page 437, upper half: what DOS and the specification assume for short names. */
const CP437 =
  'ÇüéâäàåçêëèïîìÄÅÉæÆôöòûùÿÖÜ¢£¥₧ƒáíóúñÑªº¿⌐¬½¼¡«»░▒▓│┤╡╢╖╕╣║╗╝╜╛┐└┴┬├─┼╞╟╚╔╩╦╠═╬╧╨╤╥╙╘╒╓╫╪┘┌█▄▌▐▀αßΓπΣσµτΦΘΩδ∞φε∩≡±≥≤⌠⌡÷≈°∙·√ⁿ²■\u00a0';
/** Windows NT's flags for an 8.3 name whose base or extension is in lower case. */
const LOWER_BASE = 0x08;
const LOWER_EXTENSION = 0x10;

function decodeShort(bytes: Uint8Array, lower: boolean): string {
  const text = Array.from(bytes, (byte) =>
    byte < 0x80 ? String.fromCharCode(byte) : (CP437[byte - 0x80] ?? ''),
  ).join('');
  const trimmed = text.replace(/ +$/, '');
  return lower ? trimmed.toLowerCase() : trimmed;
}

/** The short name of a directory entry as text, in the case that its flags ask for. */
export function shortNameText(entry: Uint8Array): string {
  const raw = entry.slice(0, 11);
  // 0xE5 marks a deleted entry, so a name that begins with that character is stored with 0x05.
  if (raw[0] === 0x05) raw[0] = 0xe5;
  const flags = entry[12] ?? 0;
  const base = decodeShort(raw.subarray(0, 8), (flags & LOWER_BASE) !== 0);
  const extension = decodeShort(raw.subarray(8, 11), (flags & LOWER_EXTENSION) !== 0);
  return extension === '' ? base : `${base}.${extension}`;
}

/**
 * A volume label as its 11 bytes.
 * @throws FormatError when it is too long or has characters that a label may not have
 */
export function labelBytes(label: string): Uint8Array {
  if (
    label.trim() === '' ||
    label.length > 11 ||
    !/^[A-Z0-9 $%'\-_@~`!(){}^#&]+$/.test(label) ||
    label[0] === ' '
  ) {
    throw new FormatError('fat', `the label '${label}' cannot be written`, {
      expected: "1 to 11 characters: upper-case letters, digits, spaces, -_$%'@~`!(){}^#&",
    });
  }
  return Buffer.from(label.padEnd(11), 'latin1');
}
