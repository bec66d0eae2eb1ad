import { expect, test } from 'vitest';
import { named, type ServerRef } from './ref.ts';
import { Server } from './server.ts';
import { start } from './start.ts';

class Counter extends Server {
  #count = 0;
  readonly label = 'counter';

  override init(first: number): void {
    this.#count = first;
  }
  add(by: number, note?: string): number {
    this.#count += by + (note?.length ?? 0);
    return this.#count;
  }
  async slow(): Promise<{ count: number }> {
    return { count: this.#count };
  }
  promised() {
    return this.later(Promise.resolve('text'));
  }
  override info(message: 'reset'): void {
    if (message === 'reset') this.#count = 0;
  }
  protected guarded(): void {}
  private hidden(): void {}
  reach(): void {
    this.hidden();
  }
}
class Other extends Server {
  unlike(): void {}
}
class Plain extends Server {
  ping(): string {
    return 'pong';
  }
}

/**
 * Never run: each line marked below must not compile, and tsc says so when one does. Were it run, most would be refused too,
 * but a device in the field is a bad place to learn it.
 */
async function mustNotCompile(ref: ServerRef<Counter>): Promise<void> {
  // @ts-expect-error there is no such message
  await ref.call('subtract', 1);
  // @ts-expect-error an argument of the wrong type
  await ref.call('add', '1');
  // @ts-expect-error an argument is missing
  await ref.call('add');
  // @ts-expect-error one too many
  await ref.call('add', 1, 'note', 2);
  // @ts-expect-error the answer is a number
  const text: string = await ref.call('add', 1);
  // @ts-expect-error the answer is a promise until it is awaited
  const early: number = ref.call('add', 1);
  // @ts-expect-error a cast has no answer
  const answer: number = ref.cast('add', 1);
  // @ts-expect-error casts are checked as calls are
  ref.cast('add', true);
  // @ts-expect-error a field is no message
  await ref.call('label');
  // @ts-expect-error a protected method is no message
  await ref.call('guarded');
  // @ts-expect-error a private method is no message
  await ref.call('hidden');
  // @ts-expect-error the life cycle is not for callers
  await ref.call('init', 1);
  // @ts-expect-error the life cycle is not for callers
  await ref.call('terminate', 'normal');
  // @ts-expect-error nor is what a server does to itself
  await ref.call('stop');
  // @ts-expect-error nor what every object has
  await ref.call('toString');
  // @ts-expect-error `info` takes 'reset' alone
  ref.send('unknown');
  // @ts-expect-error a reference to one server is none to another
  const other: ServerRef<Other> = ref;
  // @ts-expect-error `init` wants a number
  await start(Counter);
  // @ts-expect-error `init` wants a number
  await start(Counter, { args: ['5'] });
  // @ts-expect-error `init` takes nothing
  await start(Plain, { args: [5] });
  // @ts-expect-error 'killed' is a reason; 'kill' is a signal, and nothing else is a string
  ref.exit('because');
  // @ts-expect-error names lead to a class' messages too
  await named<Plain>('plain').call('pong');
  void [text, early, answer, other];
}

test('what compiles is what a server is for', async () => {
  const ref = await start(Counter, { args: [5] });
  const sum: number = await ref.call('add', 2, 'ab');
  const { count }: { count: number } = await ref.call('slow');
  const promised: string = await ref.call('promised');
  expect([sum, count, promised]).toEqual([9, 9, 'text']);
  ref.send('reset');
  expect(await ref.call('add', 0)).toBe(0);
  const any: ServerRef<Server> = ref;
  expect(any.alive).toBe(true);
  expect(mustNotCompile).toBeTypeOf('function');
  const plain = await start(Plain);
  expect(await plain.within(100).call('ping')).toBe('pong');
  for (const each of [ref, plain]) each.exit('kill');
});
