import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SmallSet } from './small-set.ts';

test('a small set is a set, in the order of a Set', () => {
  const members = [{ n: 0 }, { n: 1 }, { n: 2 }, { n: 3 }];
  const step = fc.record({ add: fc.boolean(), member: fc.constantFrom(...members) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
      const small = new SmallSet<object>();
      const set = new Set<object>();
      for (const { add, member } of steps) {
        if (add) small.add(member);
        else small.delete(member);
        if (add) set.add(member);
        else set.delete(member);
        expect([...small]).toEqual([...set]);
        expect(small.size).toBe(set.size);
      }
    }),
  );
});
