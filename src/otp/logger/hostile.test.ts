import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Secret } from '../config/secret.ts';
import { jsonFormatter, MAX_LINE_LENGTH, textFormatter } from './format.ts';
import { Logging } from './logger.ts';
import type { Fields, Message } from './record.ts';

/** Objects that answer whatever is asked of them by throwing, by throwing what cannot be shown, or by more of their kind. */
const unspeakable = {
  toString() {
    throw new Error('never');
  },
  get message() {
    throw this;
  },
};
const TRAPS = [
  'get',
  'has',
  'ownKeys',
  'getPrototypeOf',
  'getOwnPropertyDescriptor',
  'apply',
  'isExtensible',
] as const;

/** Made within the property: fast-check itself trips over such values. */
type Make = () => unknown;

const throwing = fc.subarray([...TRAPS], { minLength: 1 }).chain((traps) =>
  fc.constantFrom(new Error('trap'), unspeakable, null, Symbol('s')).map((thrown) => {
    const handler: Record<string, () => never> = {};
    for (const trap of traps)
      handler[trap] = () => {
        throw thrown;
      };
    return handler;
  }),
);
const target = fc.constantFrom<() => object>(
  () => ({ a: 1 }),
  () => [1, 2],
  () => () => 1,
  () => new Error('inside'),
  () => new Map([[1, 2]]),
  () => new Date(),
  () => new Secret('hunter2'),
);
const proxies = fc.tuple(target, throwing).map(
  ([make, handler]): Make =>
    () =>
      new Proxy(make(), handler),
);
const revoked = target.map(
  (make): Make =>
    () => {
      const { proxy, revoke } = Proxy.revocable(make(), {});
      revoke();
      return proxy;
    },
);
class EndlessSet extends Set<number> {
  override *[Symbol.iterator](): SetIterator<number> {
    for (let n = 0; ; n++) yield n;
  }
}
const peculiar = fc.constantFrom<Make>(
  () => new Proxy([], { get: (_, key) => (key === 'length' ? 2 ** 31 : unspeakable.toString()) }),
  () => new Proxy({}, { ownKeys: () => Array.from({ length: 10_000 }, (_, n) => `k${n}`) }),
  () => {
    const cycle: Record<string, unknown> = {};
    cycle.self = [cycle, new Map([[cycle, cycle]]), new Set([cycle])];
    return cycle;
  },
  () => {
    let deep: unknown = 1;
    for (let n = 0; n < 20_000; n++) deep = { deep };
    return deep;
  },
  () => {
    const error = new Error('a');
    error.cause = new AggregateError([error], 'b', { cause: error });
    return error;
  },
  () => Object.defineProperty(new Error('x'), 'stack', { get: () => unspeakable.message }),
  () => ({ toJSON: () => unspeakable.toString() }),
  () => Object.create(null),
  () => Object.create(new Proxy({}, { get: () => unspeakable.toString() })),
  () => new EndlessSet([1]),
  () => 10n ** 100_000n,
  () => 'x'.repeat(1e6),
  () => Symbol('y'.repeat(1e5)),
  () => new Array(1e8),
  () => new WeakMap(),
  () => Promise.resolve(),
  () => new Date(Number.NaN),
  () => unspeakable,
  () => globalThis,
  () => Object.assign(() => {}, { toString: () => unspeakable.toString() }),
);
const anything = fc.anything({
  withBigInt: true,
  withMap: true,
  withSet: true,
  withNullPrototype: true,
  withTypedArray: true,
  withDate: true,
  withSparseArray: true,
});
const value = fc.oneof(
  {
    weight: 3,
    arbitrary: anything.map(
      (made): Make =>
        () =>
          made,
    ),
  },
  proxies,
  revoked,
  peculiar,
);
const fields = fc.oneof(
  value,
  fc.dictionary(fc.string(), value, { maxKeys: 4 }).map(
    (makes): Make =>
      () =>
        Object.fromEntries(Object.entries(makes).map(([key, make]) => [key, make()])),
  ),
);

test('whatever is logged, as message or as fields, by call or by `with`: one line in each backend, of bounded length', () => {
  const lines: string[] = [];
  const logging = new Logging('debug');
  const write = (line: string): void => void lines.push(line);
  logging.addBackend('text', { write }, { format: textFormatter });
  logging.addBackend('json', { write }, { format: jsonFormatter });
  fc.assert(
    fc.property(value, fields, fields, fc.boolean(), (message, own, call, lazy) => {
      lines.length = 0;
      const said = (lazy ? message : message()) as Message;
      logging.logger.with(own() as Fields).error(said, call() as Fields);
      expect(lines).toHaveLength(2);
      for (const line of lines) {
        expect(line.length).toBeLessThanOrEqual(MAX_LINE_LENGTH + 1);
        expect(line.indexOf('\n')).toBe(line.length - 1);
        expect(line).not.toContain('hunter2');
      }
      expect(JSON.parse(lines[1] ?? '')).toMatchObject({ level: 'error' });
    }),
    { numRuns: 500 },
  );
});
