import { afterEach, expect, test } from 'vitest';
import { AlreadyStartedError } from '../process/names.ts';
import { OwnerError } from '../process/owner.ts';
import { processTable } from '../process/process-table.ts';
import { Exit } from '../process/signals.ts';
import type { ServerRef } from '../server/ref.ts';
import { Server } from '../server/server.ts';
import { start } from '../server/start.ts';
import { child } from '../supervisor/child-spec.ts';
import { startSupervisor, supervisor } from '../supervisor/supervisor.ts';
import { DuplicateRegistry } from './duplicate-registry.ts';
import { Registry } from './registry.ts';

afterEach(() => {
  for (const process of processTable.values()) process.kill('killed');
});

const rooms = new Registry<string, { floor: number }, Room>('rooms');
const topics = new DuplicateRegistry<string, number, Room>();

class Room extends Server {
  #guests: string[] = [];
  enter(guest: string): number {
    return this.#guests.push(guest);
  }
  take(key: string, floor: number): void {
    rooms.register(key, { floor });
  }
  async takeLate(key: string): Promise<void> {
    await null;
    rooms.register(key, { floor: 0 });
  }
  give(key: string): void {
    rooms.unregister(key);
  }
  climb(key: string): number | undefined {
    return rooms.update(key, ({ floor }) => ({ floor: floor + 1 }))?.value.floor;
  }
  subscribe(topic: string, value: number): void {
    topics.register(topic, value);
  }
  unsubscribe(topic: string): void {
    topics.unregister(topic);
  }
}

test('a server that is started under a key is found by it, whoever it is at the moment', async () => {
  const kitchen = rooms.ref('kitchen');
  expect(kitchen.alive).toBe(false);
  await expect(kitchen.call('enter', 'Ada')).rejects.toThrow("rooms/kitchen did not answer 'enter': noproc");
  const room = await start(Room, { via: rooms.key('kitchen', { floor: 1 }) });
  expect(await kitchen.call('enter', 'Ada')).toBe(1);
  expect(rooms.lookup('kitchen')).toMatchObject({ key: 'kitchen', value: { floor: 1 }, ref: room });
  expect(rooms.keys(room)).toEqual(['kitchen']);
  room.exit('kill');
  expect(rooms.lookup('kitchen')).toBeUndefined();
  await start(Room, { via: rooms.key('kitchen', { floor: 2 }) });
  expect(await kitchen.call('enter', 'Eve')).toBe(1);
});

test('a key is for one at a time: who comes second does not start, and leaves nothing behind', async () => {
  const first = await start(Room, { via: rooms.key('hall', { floor: 0 }) });
  const second = start(Room, { via: rooms.key('hall', { floor: 0 }) });
  await expect(second).rejects.toThrow(AlreadyStartedError);
  await expect(second).rejects.toMatchObject({ holder: first.find() });
  expect(processTable.size).toBe(1);
});

test('a supervisor starts the next holder of a key at once', async () => {
  const top = await startSupervisor(
    supervisor({ children: [child(Room, { via: rooms.key('cellar', { floor: -1 }) })] }),
  );
  const first = rooms.lookup('cellar')?.ref;
  first?.exit('kill');
  await top.children();
  expect(rooms.lookup('cellar')?.ref).not.toBe(first);
  expect(await rooms.ref('cellar').call('enter', 'Ada')).toBe(1);
  await top.stop();
  expect(rooms.count()).toBe(0);
});

test('the key is free before links are told of the end', async () => {
  const seen: unknown[] = [];
  const done = Promise.withResolvers<void>();
  class Heir extends Server {
    override async init(): Promise<void> {
      this.trapExit = true;
      const room = await this.start(Room, { via: rooms.key('attic', { floor: 9 }) });
      room.find()?.watchedBy({ down: () => seen.push(rooms.lookup('attic')) });
      room.exit('kill');
    }
    override info(message: unknown): void {
      if (message instanceof Exit) done.resolve();
    }
  }
  await start(Heir);
  await done.promise;
  expect(seen).toEqual([undefined]);
});

test('a server registers itself, changes its value, and gives the key up', async () => {
  const room = await start(Room);
  const other = await start(Room);
  await room.call('take', 'a', 1);
  await room.call('take', 'b', 2);
  expect(rooms.keys(room)).toEqual(['a', 'b']);
  expect([...rooms.entries()].map(({ value }) => value.floor)).toEqual([1, 2]);
  await expect(other.call('take', 'a', 3)).rejects.toThrow("'rooms/a' is taken");
  const third = await start(Room);
  expect(await third.call('climb', 'a')).toBeUndefined();
  expect(await room.call('climb', 'a')).toBe(2);
  await third.call('give', 'a');
  expect(rooms.count()).toBe(2);
  await room.call('give', 'a');
  expect(rooms.keys(room)).toEqual(['b']);
  expect(rooms.lookup('a')).toBeUndefined();
});

test('who registers must be known: after an await it is not, unless it is said', async () => {
  const room = await start(Room);
  expect(() => rooms.register('x', { floor: 1 })).toThrow(OwnerError);
  rooms.register('x', { floor: 1 }, room);
  expect(rooms.keys(room)).toEqual(['x']);
  await expect(room.call('takeLate', 'y')).rejects.toThrow('after their first await');
  expect(() => rooms.register('z', { floor: 1 }, room)).toThrow('has ended');
  expect(rooms.count()).toBe(0);
});

test('keys are those of a Map: strings and numbers by value, objects by identity', async () => {
  const any = new Registry<unknown>();
  const room = await start(Room);
  const key = { city: 'Turin' };
  any.register(key, undefined, room);
  any.register(Number.NaN, undefined, room);
  any.register('1', undefined, room);
  any.register(1, undefined, room);
  expect(any.lookup({ city: 'Turin' })).toBeUndefined();
  expect(any.lookup(key)?.ref).toBe(room);
  expect(any.lookup(Number.NaN)?.ref).toBe(room);
  expect(any.count()).toBe(4);
});

test('duplicate keys: each registers as often as it likes, dispatch reaches all that are still there', async () => {
  const [a, b] = [await start(Room), await start(Room)];
  await a.call('subscribe', 'rain', 1);
  await b.call('subscribe', 'rain', 2);
  await a.call('subscribe', 'rain', 3);
  await a.call('subscribe', 'sun', 4);
  expect(topics.lookup('rain').map(({ value }) => value)).toEqual([1, 2, 3]);
  expect(topics.keys(a)).toEqual(['rain', 'rain', 'sun']);
  expect([topics.count(), topics.count('rain'), topics.count('snow')]).toEqual([4, 3, 0]);
  const reached: number[] = [];
  topics.dispatch('rain', ({ value, ref }) => {
    reached.push(value);
    if (value === 1) b.exit('kill');
    ref.cast('enter', 'Ada');
  });
  expect(reached).toEqual([1, 3]);
  await a.call('unsubscribe', 'rain');
  expect(topics.keys(a)).toEqual(['sun']);
  a.exit('kill');
  expect(topics.count()).toBe(0);
});

test('what does not fit does not compile', async () => {
  const room: ServerRef<Room> = await start(Room);
  const uses = (): void => {
    // @ts-expect-error a value is due
    rooms.register('a');
    // @ts-expect-error of this shape
    rooms.key('a', { storey: 1 });
    // @ts-expect-error a Room has no such message
    rooms.ref('a').cast('leave');
    // @ts-expect-error keys are strings
    rooms.lookup(1);
    new Registry<number>().register(1);
    new Registry<number>().ref<Room>(1).cast('enter', 'Ada');
  };
  expect(uses).toBeTypeOf('function');
  expect(room.alive).toBe(true);
});
