import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Ring } from './ring.ts';

test('a ring is a queue: the same as an array, whatever is done to it', () => {
  const step = fc.oneof(
    fc.record({ do: fc.constant('push' as const), times: fc.integer({ min: 1, max: 40 }) }),
    fc.record({ do: fc.constant('shift' as const), times: fc.integer({ min: 1, max: 40 }) }),
    fc.record({ do: fc.constant('take' as const), times: fc.integer({ min: 1, max: 9 }) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const ring = new Ring<number>(2);
      const model: number[] = [];
      let next = 0;
      for (const { do: what, times } of steps) {
        for (let i = 0; i < times; i++) {
          if (what === 'push') {
            ring.push(next);
            model.push(next++);
          } else if (what === 'shift') expect(ring.shift()).toBe(model.shift());
        }
        if (what === 'take') {
          const at = model.findIndex((value) => value % times === 0);
          const taken = at < 0 ? undefined : model.splice(at, 1)[0];
          expect(ring.take((value) => value % times === 0)).toBe(taken);
        }
        expect([...ring]).toEqual(model);
        expect([ring.length, ring.peek()]).toEqual([model.length, model[0]]);
      }
    }),
  );
});

test('a ring that a flood has made large is a queue all the same when it is empty again', () => {
  const ring = new Ring<number>();
  for (const flood of [5_000, 3, 5_000]) {
    for (let i = 0; i < flood; i++) ring.push(i);
    for (let i = 0; i < flood; i++) expect(ring.shift()).toBe(i);
    expect(ring.shift()).toBeUndefined();
  }
});
