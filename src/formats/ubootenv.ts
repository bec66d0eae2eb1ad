import { crc32 } from 'node:zlib';
import { FormatError } from '../errors.ts';
import { compareBytes, viewOf } from './bytes.ts';

/** CRC-32 of the data, little-endian, then one byte of flags: the redundant form of U-Boot's env/common.c. */
const HEADER_BYTES = 5;

/** The variables of one copy, and its counter. */
export interface Env {
  values: Map<string, string>;
  /** 0 to 255, one more at each write; 255 is followed by 0. */
  flags: number;
}

function refuse(message: string, where: string, expected: string, remedy?: string): never {
  throw new FormatError('uboot-env', message, { where, expected, ...(remedy ? { remedy } : {}) });
}

function checkVariable(key: string, value: string): void {
  const where = JSON.stringify(key);
  if (key === '' || /^[# \t]|[=\0]/.test(key)) {
    // U-Boot drops leading blanks and takes '#' for a comment.
    refuse('a bad name of a variable', where, "a name without '=' and NUL that starts with no '#' or blank");
  }
  if (value === '') refuse('an empty value', where, 'a value', 'leave the variable out: empty means unset');
  if (value.includes('\0')) refuse('a NUL in a value', where, 'a value without NUL');
  if (!key.isWellFormed() || !value.isWellFormed())
    refuse('half of a surrogate pair', where, 'well-formed text');
}

/**
 * One copy of a redundant U-Boot environment, as U-Boot, `fw_printenv` and libubootenv read it: variables in byte
 * order of their names, UTF-8, zeros to the end. Backslashes stand for themselves, as `fw_setenv` has it.
 * @param size bytes, of the whole copy
 * @throws FormatError on a name with '=' or NUL, an empty value, or when it does not fit, saying by how much
 */
export function encodeEnv({ values, flags }: Env, size: number): Uint8Array {
  if (!Number.isInteger(flags) || flags < 0 || flags > 255) refuse(`flags ${flags}`, 'flags', '0 to 255');
  const lines = [...values].map(([key, value]) => {
    checkVariable(key, value);
    return { key, text: `${key}=${value}\0` };
  });
  lines.sort((a, b) => compareBytes(a.key, b.key));
  const data = Buffer.from(`${lines.map(({ text }) => text).join('')}\0`);
  const excess = HEADER_BYTES + data.length - size;
  if (excess > 0)
    refuse(`the variables take ${excess} bytes too much`, 'environment', `at most ${size} bytes`);
  const bytes = new Uint8Array(size);
  bytes.set(data, HEADER_BYTES);
  bytes[4] = flags;
  viewOf(bytes).setUint32(0, crc32(bytes.subarray(HEADER_BYTES)), true);
  return bytes;
}

/**
 * Reads one copy, all of its bytes.
 * @throws FormatError when the checksum is wrong (a torn write), or what it covers is no list of variables
 */
export function decodeEnv(bytes: Uint8Array): Env {
  if (bytes.length < HEADER_BYTES + 2) refuse(`${bytes.length} bytes`, 'environment', 'at least 7 bytes');
  const data = bytes.subarray(HEADER_BYTES);
  if (crc32(data) !== viewOf(bytes).getUint32(0, true)) {
    refuse('the checksum is wrong', 'byte 0', 'an intact copy', 'use the other copy');
  }
  const values = new Map<string, string>();
  let at = 0;
  // An empty string ends the list.
  while (at < data.length && data[at] !== 0) {
    const end = data.indexOf(0, at);
    if (end < 0) refuse('the last variable does not end', `byte ${HEADER_BYTES + at}`, 'a NUL');
    const text = Buffer.from(data.subarray(at, end)).toString('utf8');
    const equals = text.indexOf('=');
    if (equals <= 0) refuse('a variable without a name', `byte ${HEADER_BYTES + at}`, 'name=value');
    // As in U-Boot, an empty value is no variable.
    if (equals + 1 < text.length) values.set(text.slice(0, equals), text.slice(equals + 1));
    at = end + 1;
  }
  return { values, flags: bytes[4] ?? 0 };
}

/** Which copy of a redundant environment counts. */
export interface PickedEnv extends Env {
  /** 0 or 1; write the other one next. */
  copy: 0 | 1;
  /** Why the other copy is bad, when it is. */
  problem: string | undefined;
}

function attempt(bytes: Uint8Array): Env | FormatError {
  try {
    return decodeEnv(bytes);
  } catch (error) {
    if (error instanceof FormatError) return error;
    throw error;
  }
}

/**
 * The newer of the two copies: the larger counter, except that 0 is newer than 255; the first when they are equal
 * (U-Boot, env/common.c: env_check_redund).
 * @throws FormatError when both are bad, saying why
 */
export function pickEnv(first: Uint8Array, second: Uint8Array): PickedEnv {
  const [a, b] = [attempt(first), attempt(second)];
  if (a instanceof FormatError) {
    if (!(b instanceof FormatError)) return { ...b, copy: 1, problem: a.message };
    refuse(`both copies are bad: ${a.message}; ${b.message}`, 'environment', 'one intact copy');
  }
  if (b instanceof FormatError) return { ...a, copy: 0, problem: b.message };
  const wrapped = (a.flags === 255 && b.flags === 0) || (a.flags === 0 && b.flags === 255);
  const secondIsNewer = wrapped ? b.flags === 0 : b.flags > a.flags;
  return secondIsNewer ? { ...b, copy: 1, problem: undefined } : { ...a, copy: 0, problem: undefined };
}

/**
 * What to write for a change, and into which copy: never the one that counts now, so that a torn write leaves it.
 * @param size bytes of a copy
 * @throws FormatError as encodeEnv
 */
export function nextEnv(
  current: PickedEnv,
  values: Map<string, string>,
  size: number,
): { copy: 0 | 1; bytes: Uint8Array } {
  const flags = (current.flags + 1) & 0xff;
  return { copy: current.copy === 0 ? 1 : 0, bytes: encodeEnv({ values, flags }, size) };
}
