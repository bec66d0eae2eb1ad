import { describe, expect, it } from 'vitest';
import { all, Gate } from './gate.ts';

/** Work that ends when the test says so. */
function held(): {
  work: () => Promise<string>;
  end: () => void;
  fail: (error: Error) => void;
  begun: () => boolean;
} {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let begun = false;
  return {
    work: () => {
      begun = true;
      return promise;
    },
    end: () => resolve('done'),
    fail: reject,
    begun: () => begun,
  };
}
const turn = () => new Promise((resolve) => setImmediate(resolve));

describe('Gate', () => {
  it('admits in order, up to its capacity', async () => {
    const gate = new Gate(10);
    const [a, b, c, d] = [held(), held(), held(), held()];
    const runs = [gate.run(6, a.work), gate.run(4, b.work), gate.run(8, c.work), gate.run(1, d.work)];
    await turn();
    expect([a, b, c, d].map((work) => work.begun())).toEqual([true, true, false, false]);
    a.end();
    await turn();
    // d would fit, but may not pass c.
    expect([c, d].map((work) => work.begun())).toEqual([false, false]);
    b.end();
    await turn();
    expect([c, d].map((work) => work.begun())).toEqual([true, true]);
    c.end();
    d.end();
    expect(await all(runs)).toEqual(['done', 'done', 'done', 'done']);
  });

  it('lets work that is heavier than its capacity go alone', async () => {
    const gate = new Gate(10);
    const [a, b, c] = [held(), held(), held()];
    const runs = [gate.run(1, a.work), gate.run(99, b.work), gate.run(1, c.work)];
    await turn();
    expect(b.begun()).toBe(false);
    a.end();
    await turn();
    expect([b, c].map((work) => work.begun())).toEqual([true, false]);
    b.end();
    c.end();
    await all(runs);
  });

  it('starts nothing more after a failure, and all() waits for what has started', async () => {
    const gate = new Gate(2);
    const [a, b, c] = [held(), held(), held()];
    let over = false;
    const outcome = all([gate.run(1, a.work), gate.run(1, b.work), gate.run(1, c.work)]).then(
      () => 'fulfilled',
      (error: Error) => {
        over = true;
        return error.message;
      },
    );
    await turn();
    b.fail(new Error('no'));
    await turn();
    expect([c.begun(), over]).toEqual([false, false]);
    a.end();
    expect(await outcome).toBe('no');
    expect(c.begun()).toBe(false);
  });
});
