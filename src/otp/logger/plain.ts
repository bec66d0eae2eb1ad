import { Secret } from '../config/secret.ts';

/** What JSON can say. */
export type Plain = string | number | boolean | null | Plain[] | { [key: string]: Plain };

const MAX_DEPTH = 6;
/** Values in one record; what comes after is left out and said so. */
const MAX_VALUES = 500;
const MAX_STRING = 2_000;
/** Larger ones take too long to write out: the time grows with the square of their length. */
const LARGE_BIGINT = 2n ** 2_048n;

/**
 * Turns anything into what JSON can say, for logs. Total: cycles, BigInt, symbols, functions, throwing getters,
 * revoked proxies and endless structures all come out as something readable, in bounded time and space.
 */
export function plain(value: unknown): Plain {
  return convert(value, { seen: new Set(), left: MAX_VALUES }, 0);
}

interface Walk {
  /** The objects on the way from the root to here: meeting one again is a cycle. */
  seen: Set<object>;
  left: number;
}

function convert(value: unknown, walk: Walk, depth: number): Plain {
  walk.left--;
  switch (typeof value) {
    case 'string':
      return shorten(value);
    case 'number':
      return Number.isFinite(value) ? value : String(value);
    case 'boolean':
      return value;
    case 'bigint':
      return value > LARGE_BIGINT || value < -LARGE_BIGINT ? '[huge bigint]' : `${value}n`;
    case 'undefined':
      return 'undefined';
    case 'symbol':
      return shorten(value.toString());
    case 'function':
      return '[function]';
    case 'object':
      if (value === null) return null;
      if (walk.seen.has(value)) return '[cycle]';
      if (depth >= MAX_DEPTH) return '[…]';
      walk.seen.add(value);
      try {
        return object(value, walk, depth);
      } catch (error) {
        // A revoked proxy, or one whose traps throw.
        return `[unreadable: ${reasonOf(error)}]`;
      } finally {
        walk.seen.delete(value);
      }
  }
}

function shorten(text: string): string {
  return text.length <= MAX_STRING ? text : `${text.slice(0, MAX_STRING)}… (${text.length} characters)`;
}

function object(value: object, walk: Walk, depth: number): Plain {
  if (value instanceof Secret) return value.toString();
  if (value instanceof Error) return error(value, walk, depth);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'Invalid Date' : value.toISOString();
  if (ArrayBuffer.isView(value)) return `[${value.constructor.name} of ${value.byteLength} bytes]`;
  if (Array.isArray(value)) {
    const items: Plain[] = [];
    for (let i = 0; i < value.length; i++) {
      if (walk.left <= 0) {
        items.push(`[${value.length - i} more]`);
        break;
      }
      items.push(read(value, i, walk, depth));
    }
    return items;
  }
  if (value instanceof Map) return object(Object.fromEntries(entriesOf(value)), walk, depth);
  if (value instanceof Set) return object(first(Set.prototype.values.call(value)), walk, depth);
  if (value instanceof URL || value instanceof RegExp) return shorten(String(value));
  const keys = Object.keys(value);
  // Promises, WeakMaps, instances whose fields are private: better a name than nothing.
  if (keys.length === 0 && !isPlainObject(value)) return `[${nameOf(value)}]`;
  const fields: { [key: string]: Plain } = {};
  for (const key of keys) {
    if (walk.left <= 0) {
      fields['…'] = 'more';
      break;
    }
    // defineProperty: assigning a key named __proto__ would set the prototype instead.
    Object.defineProperty(fields, shorten(key), { value: read(value, key, walk, depth), enumerable: true });
  }
  return fields;
}

function isPlainObject(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
}

function nameOf(value: object): string {
  const { name } = value.constructor as { name?: unknown };
  return typeof name === 'string' && name !== '' ? shorten(name) : 'object';
}

/** The collection's own iterator, not one that a subclass has put in its place: that might never end. */
function first(values: Iterable<unknown>): unknown[] {
  const some: unknown[] = [];
  for (const value of values) {
    if (some.length === MAX_VALUES) break;
    some.push(value);
  }
  return some;
}

function* entriesOf(map: Map<unknown, unknown>): Generator<[string, unknown]> {
  let count = 0;
  for (const [key, value] of Map.prototype.entries.call(map)) {
    if (count++ === MAX_VALUES) return;
    yield [typeof key === 'string' ? key : JSON.stringify(plain(key)), value];
  }
}

function read(from: object, key: string | number, walk: Walk, depth: number): Plain {
  let value: unknown;
  try {
    value = Reflect.get(from, key);
  } catch (error) {
    // Counted as a value, or a thousand million of them would be shown.
    walk.left--;
    return `[threw: ${reasonOf(error)}]`;
  }
  return convert(value, walk, depth + 1);
}

function error(value: Error, walk: Walk, depth: number): Plain {
  const stack = read(value, 'stack', walk, depth);
  const message = read(value, 'message', walk, depth);
  const text = typeof stack === 'string' && stack !== 'undefined' ? stack : message;
  const cause = read(value, 'cause', walk, depth);
  return cause === 'undefined' ? text : { error: text, cause };
}

/** What an error says, whatever was thrown. */
export function reasonOf(error: unknown): string {
  try {
    return error instanceof Error ? String(error.message).slice(0, 200) : String(error).slice(0, 200);
  } catch {
    return 'something that cannot be shown';
  }
}
