/** What JSON can say. */
export type Plain = string | number | boolean | null | Plain[] | { [key: string]: Plain };

const MAX_DEPTH = 6;
/** Values in one record; what comes after is left out and said so. */
const MAX_VALUES = 500;
const MAX_STRING = 2_000;

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
      return value.length <= MAX_STRING
        ? value
        : `${value.slice(0, MAX_STRING)}… (${value.length} characters)`;
    case 'number':
      return Number.isFinite(value) ? value : String(value);
    case 'boolean':
      return value;
    case 'bigint':
      return `${value}n`;
    case 'undefined':
      return 'undefined';
    case 'symbol':
      return value.toString();
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
        return `[unreadable: ${reason(error)}]`;
      } finally {
        walk.seen.delete(value);
      }
  }
}

function object(value: object, walk: Walk, depth: number): Plain {
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
  if (value instanceof Set) return object([...value].slice(0, MAX_VALUES), walk, depth);
  const fields: { [key: string]: Plain } = {};
  for (const key of Object.keys(value)) {
    if (walk.left <= 0) {
      fields['…'] = 'more';
      break;
    }
    // defineProperty: assigning a key named __proto__ would set the prototype instead.
    Object.defineProperty(fields, key, { value: read(value, key, walk, depth), enumerable: true });
  }
  return fields;
}

function* entriesOf(map: Map<unknown, unknown>): Generator<[string, unknown]> {
  let count = 0;
  for (const [key, value] of map) {
    if (count++ === MAX_VALUES) return;
    yield [typeof key === 'string' ? key : JSON.stringify(plain(key)), value];
  }
}

function read(from: object, key: string | number, walk: Walk, depth: number): Plain {
  let value: unknown;
  try {
    value = Reflect.get(from, key);
  } catch (error) {
    return `[threw: ${reason(error)}]`;
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

function reason(error: unknown): string {
  try {
    return error instanceof Error ? String(error.message).slice(0, 200) : String(error).slice(0, 200);
  } catch {
    return 'something that cannot be shown';
  }
}
