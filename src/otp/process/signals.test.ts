import { afterEach, expect, test } from 'vitest';
import { named, type ServerRef } from '../server/ref.ts';
import { Server } from '../server/server.ts';
import { start } from '../server/start.ts';
import type { Address } from './address.ts';
import { Down, type Monitor } from './monitor.ts';
import type { Process } from './process.ts';
import { processTable } from './process-table.ts';
import { type ExitReason, Shutdown } from './reason.ts';
import { Exit, link } from './signals.ts';

afterEach(() => {
  for (const process of processTable.values()) process.kill('killed');
});

class Node extends Server {
  readonly inbox: unknown[] = [];
  #monitor: Monitor | undefined;
  override init(trap = false): void {
    this.trapExit = trap;
  }
  override info(message: unknown): void {
    this.inbox.push(message);
  }
  tie(other: Address): void {
    this.link(other);
  }
  untie(other: Address): void {
    this.unlink(other);
  }
  watch(other: Address): void {
    this.#monitor = this.monitor(other);
  }
  unwatch(): void {
    this.#monitor?.[Symbol.dispose]();
    this.#monitor?.[Symbol.dispose]();
  }
  child(trap: boolean): Promise<ServerRef<Node>> {
    return this.start(Node, { args: [trap] });
  }
  endOther(other: Address, reason: ExitReason | 'kill'): void {
    other.exit(reason);
  }
  linkAfter(other: Address, until: Promise<unknown>): Promise<void> {
    return until.then(() => this.link(other));
  }
  read(): unknown[] {
    return this.inbox;
  }
}

const node = (trap = false) => start(Node, { args: [trap] });
function process(ref: Address): Process {
  const found = ref.find();
  if (!found) throw new Error('not there');
  return found;
}
/** What a dead process leaves to be asked. */
const fate = (ref: Address) => (ref.alive ? 'alive' : ref.find()?.reason);

const broken = new Error('broken');
const moving = new Shutdown('moving');

test.each(['shutdown', moving, broken] as const)(
  '%s ends whoever is linked, from either end',
  async (reason) => {
    for (const first of [0, 1] as const) {
      const pair = [await node(), await node()] as const;
      await pair[0].call('tie', pair[1]);
      pair[first].exit(reason);
      expect(pair.map(fate)).toEqual([reason, reason]);
    }
  },
);

test("'normal' ends nobody else; 'kill' cannot be trapped, and is 'killed' to the others", async () => {
  const [a, b, trapping] = [await node(), await node(), await node(true)];
  await a.call('tie', b);
  await b.call('tie', trapping);
  process(a).exit('normal');
  expect([a, b].map(fate)).toEqual(['normal', 'alive']);
  trapping.exit('kill');
  expect([b, trapping].map(fate)).toEqual(['killed', 'killed']);
});

test('who traps exits gets a message, whatever the reason, and lives on', async () => {
  for (const reason of ['normal', 'shutdown', 'killed', broken] as const) {
    const [a, trapping] = [await node(), await node(true)];
    await trapping.call('tie', a);
    if (reason === 'killed') a.exit('kill');
    else process(a).exit(reason);
    const [exit] = await trapping.call('read');
    expect(exit).toBeInstanceOf(Exit);
    expect(exit).toMatchObject({ from: process(a), reason });
  }
});

test('an exit signal without a link is trapped too', async () => {
  const [sender, trapping] = [await node(), await node(true)];
  await sender.call('endOther', trapping, 'normal');
  await sender.call('endOther', trapping, broken);
  expect(await trapping.call('read')).toMatchObject([
    { from: process(sender), reason: 'normal' },
    { from: process(sender), reason: broken },
  ]);
  await sender.call('endOther', trapping, 'kill');
  expect(fate(trapping)).toBe('killed');
});

test('a child that traps exits does not outlive its parent', async () => {
  for (const reason of ['normal', 'shutdown', 'killed'] as const) {
    const parent = await node();
    const [trapping, plain] = [await parent.call('child', true), await parent.call('child', false)];
    process(parent).exit(reason);
    expect(fate(trapping)).toBe(reason);
    expect(fate(plain)).toBe(reason === 'normal' ? 'alive' : reason);
  }
});

test("a link to the dead is a signal 'noproc'; to nobody, an error; of the dead, nothing", async () => {
  const [a, b, c, trapping] = [await node(), await node(), await node(), await node(true)];
  a.exit('kill');
  b.cast('tie', a);
  expect(await b.ended()).toBe('noproc');
  await trapping.call('tie', a);
  expect(await trapping.call('read')).toMatchObject([{ reason: 'noproc' }]);
  await expect(trapping.call('tie', named('nobody'))).rejects.toMatchObject({ code: 'call-failed' });

  let open: () => void = () => undefined;
  const until = new Promise<void>((resolve) => {
    open = resolve;
  });
  const victim = await node();
  const call = victim.call('linkAfter', c, until);
  await new Promise(setImmediate);
  victim.exit('kill');
  await expect(call).rejects.toMatchObject({ reason: 'killed' });
  open();
  await new Promise(setImmediate);
  expect(fate(c)).toBe('alive');
  expect(process(c).links).toBeUndefined();
});

test('code of a process that was killed starts no linked child', async () => {
  let open: () => void = () => undefined;
  const until = new Promise<void>((resolve) => {
    open = resolve;
  });
  let began = 0;
  let outcome: Promise<unknown> = Promise.resolve();
  class Child extends Server {
    override init(): void {
      began++;
    }
  }
  class Parent extends Server {
    async late(): Promise<void> {
      await until;
      outcome = this.start(Child).catch((error: unknown) => error);
    }
  }
  const parent = await start(Parent);
  parent.cast('late');
  await new Promise(setImmediate);
  parent.exit('kill');
  open();
  await new Promise(setImmediate);
  expect(await outcome).toMatchObject({ code: 'start-failed', reason: 'noproc' });
  expect(began).toBe(0);
});

test('links are made once, are to others, and end with unlink', async () => {
  const [a, b] = [await node(), await node()];
  await a.call('tie', a);
  await a.call('tie', b);
  await b.call('tie', a);
  expect([process(a).links?.size, process(b).links?.size]).toEqual([1, 1]);
  await b.call('untie', a);
  await b.call('untie', named('nobody'));
  a.exit(broken);
  expect([a, b].map(fate)).toEqual([broken, 'alive']);
});

test('who is starting ends with whoever it is linked to; who is already exiting keeps its own reason', async () => {
  class Slow extends Server {
    override init(other: Address): Promise<void> {
      this.link(other);
      return new Promise(() => undefined);
    }
  }
  const a = await node();
  const starting = start(Slow, { args: [a] });
  a.exit(broken);
  await expect(starting).rejects.toMatchObject({ code: 'start-failed', reason: broken });

  class Careful extends Server {
    override terminate(): Promise<void> {
      return new Promise((resolve) => setImmediate(resolve));
    }
  }
  const [b, careful, last] = [await node(), await start(Careful), await node()];
  await b.call('tie', careful);
  await last.call('tie', careful);
  careful.exit('shutdown');
  b.exit(broken);
  expect(await careful.ended()).toBe('shutdown');
  expect(fate(last)).toBe('shutdown');
});

test('a chain of 100,000 links falls as one', async () => {
  const LONG = 100_000;
  const chain = await Promise.all(Array.from({ length: LONG }, () => node()));
  for (let i = 1; i < LONG; i++) link(process(chain[i - 1] as Address), process(chain[i] as Address));
  chain[LONG / 2]?.exit(broken);
  expect(chain.filter((ref) => fate(ref) !== broken)).toEqual([]);
});

test('a monitor tells once, why; of the dead and of nobody it says noproc', async () => {
  const [a, watcher] = [await node(), await node()];
  await watcher.call('watch', a);
  await watcher.call('watch', a);
  a.exit(broken);
  expect(await watcher.call('read')).toMatchObject([{ reason: broken }, { reason: broken }]);
  await watcher.call('watch', a);
  await watcher.call('watch', named('nobody'));
  const all = await watcher.call('read');
  expect(all.slice(2)).toMatchObject([{ reason: 'noproc' }, { reason: 'noproc' }]);
  expect(all.every((message) => message instanceof Down)).toBe(true);
});

test('a monitor that is disposed of says nothing, and one whose owner has gone leaves nothing behind', async () => {
  const [a, watcher, gone] = [await node(), await node(), await node()];
  await watcher.call('watch', a);
  await watcher.call('unwatch');
  await gone.call('watch', a);
  expect(process(a).watchers?.size).toBe(1);
  gone.exit('kill');
  expect(process(a).watchers?.size).toBe(0);
  a.exit('kill');
  expect(await watcher.call('read')).toEqual([]);
});

test('ended() of a process that has ended is why; of nobody, noproc', async () => {
  const a = await node();
  const ended = a.ended();
  a.exit(moving);
  expect([await ended, await a.ended(), await named('nobody').ended()]).toEqual([moving, moving, 'noproc']);
});
