import { afterEach, expect, test } from 'vitest';
import { processTable } from '../process/process-table.ts';
import { Server } from '../server/server.ts';
import { start } from '../server/start.ts';
import { GroupChange, type GroupMonitor, Groups } from './groups.ts';

afterEach(() => {
  for (const process of processTable.values()) process.kill('killed');
});

const groups = new Groups<string, Lamp>();

class Lamp extends Server {
  #on = false;
  override init(group: string): void {
    groups.join(group);
  }
  switch(on: boolean): boolean {
    this.#on = on;
    return this.#on;
  }
  isOn(): boolean {
    return this.#on;
  }
  burn(): void {
    throw new Error('burnt');
  }
  override info(message: 'toggle'): void {
    if (message === 'toggle') this.#on = !this.#on;
  }
}

test('members are reached all at once, by cast, send and call', async () => {
  const lamps = [await start(Lamp, { args: ['hall'] }), await start(Lamp, { args: ['hall'] })];
  await start(Lamp, { args: ['attic'] });
  expect(groups.members('hall')).toEqual(lamps);
  expect(groups.groups()).toEqual(['hall', 'attic']);
  groups.cast('hall', 'switch', true);
  groups.send('attic', 'toggle');
  const on = async (group: string): Promise<unknown[]> =>
    (await groups.call(group, 'isOn')).map((reply) => reply.status === 'fulfilled' && reply.value);
  expect(await on('hall')).toEqual([true, true]);
  expect(await on('attic')).toEqual([true]);
  expect(await groups.call('nowhere', 'isOn')).toEqual([]);
  const replies = await groups.call('hall', 'burn');
  expect(replies.map(({ member, status }) => [member, status])).toEqual(
    lamps.map((lamp) => [lamp, 'rejected']),
  );
  expect(groups.members('hall')).toEqual([]);
});

test('as in pg, who joins twice is a member twice, and has to leave twice', async () => {
  const lamp = await start(Lamp, { args: ['hall'] });
  groups.join('hall', lamp);
  expect(groups.members('hall')).toEqual([lamp, lamp]);
  expect(groups.leave('hall', lamp)).toBe(true);
  expect(groups.members('hall')).toEqual([lamp]);
  expect(groups.leave('hall', lamp)).toBe(true);
  expect(groups.leave('hall', lamp)).toBe(false);
});

test('one full mailbox does not keep the message from the others', async () => {
  const full = await start(Lamp, { args: ['hall'], mailboxLimit: 1 });
  const other = await start(Lamp, { args: ['hall'] });
  full.cast('switch', false);
  expect(() => groups.cast('hall', 'switch', true)).toThrow(AggregateError);
  expect(await other.call('isOn')).toBe(true);
  expect(await full.call('isOn')).toBe(false);
});

class Watcher extends Server {
  #seen: string[] = [];
  #monitor: GroupMonitor<string> | undefined;
  override init(group: string | undefined): void {
    this.#monitor = groups.monitor(group);
  }
  override info(message: unknown): void {
    if (message instanceof GroupChange && message.monitor === this.#monitor)
      this.#seen.push(`${message.type} ${message.group}`);
  }
  seen(): string[] {
    return this.#seen;
  }
  unwatch(): void {
    this.#monitor?.[Symbol.dispose]();
  }
}

test('who monitors a group hears of every one that comes and goes, until it has heard enough', async () => {
  const one = await start(Watcher, { args: ['hall'] });
  const all = await start(Watcher, { args: [undefined] });
  const lamp = await start(Lamp, { args: ['hall'] });
  await start(Lamp, { args: ['attic'] });
  lamp.exit('kill');
  expect(await one.call('seen')).toEqual(['join hall', 'leave hall']);
  expect(await all.call('seen')).toEqual(['join hall', 'join attic', 'leave hall']);
  await one.call('unwatch');
  all.exit('kill');
  await start(Lamp, { args: ['hall'] });
  expect(await one.call('seen')).toHaveLength(2);
  expect(one.find()?.possessions?.size).toBe(0);
});
