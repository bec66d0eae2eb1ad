import { expect, test } from 'vitest';
import { createStopper } from './stop.ts';

function setUp() {
  const errors: string[] = [];
  return { errors, stopper: createStopper({ error: (message) => errors.push(String(message)) }) };
}

test('handlers run newest first, each after the one before has ended', async () => {
  const { stopper } = setUp();
  const order: string[] = [];
  stopper.onStop(() => {
    order.push('first');
  });
  stopper.onStop(async () => {
    await new Promise((resolve) => setImmediate(resolve));
    order.push('second');
  });
  expect(await stopper.stop(1_000)).toBe(true);
  expect(order).toEqual(['second', 'first']);
});

test('a handler that fails is reported, and the rest still run', async () => {
  const { stopper, errors } = setUp();
  let ran = false;
  stopper.onStop(() => {
    ran = true;
  });
  stopper.onStop(() => Promise.reject(new Error('x')));
  stopper.onStop(() => {
    throw new Error('y');
  });
  expect(await stopper.stop(1_000)).toBe(false);
  expect(ran).toBe(true);
  expect(errors).toHaveLength(2);
});

test('a handler that never ends costs the deadline, not for ever', async () => {
  const { stopper, errors } = setUp();
  stopper.onStop(() => new Promise(() => {}));
  expect(await stopper.stop(20)).toBe(false);
  expect(errors).toEqual(['a stop handler did not end in time']);
});

test('stopping twice is stopping once', async () => {
  const { stopper } = setUp();
  let count = 0;
  stopper.onStop(() => {
    count++;
  });
  await Promise.all([stopper.stop(100), stopper.stop(100)]);
  expect(count).toBe(1);
});

test('a handler that registers another one has it run', async () => {
  const { stopper } = setUp();
  let inner = false;
  stopper.onStop(() => {
    stopper.onStop(() => {
      inner = true;
    });
  });
  await stopper.stop(100);
  expect(inner).toBe(true);
});
