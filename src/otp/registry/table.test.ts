import fc from 'fast-check';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { processTable } from '../process/process-table.ts';
import { Server } from '../server/server.ts';
import { start } from '../server/start.ts';
import { bagTable, namedBagTable, namedTable, type SetTable, table, tables } from './table.ts';
import { type TableOptions, TableTransfer } from './table-storage.ts';

beforeEach(() => expect(tables()).toEqual([]));
afterEach(() => {
  for (const process of processTable.values()) process.kill('killed');
});

interface Session {
  user: string;
  admin: boolean;
}

class Keeper extends Server {
  #table: SetTable<string, Session> | undefined;
  #from = '';
  make(options: TableOptions): void {
    this.#table = table(options);
  }
  put(key: string, user: string): void {
    this.#table?.put(key, { user, admin: false });
  }
  give(to: Parameters<SetTable['giveAway']>[0]): void {
    this.#table?.giveAway(to);
  }
  owns(): string {
    return `${this.#table?.name} of ${this.#from}`;
  }
  override info(message: unknown): void {
    if (!(message instanceof TableTransfer)) return;
    this.#table = message.table as SetTable<string, Session>;
    this.#from = String(message.from);
  }
}

const sessions = namedTable<string, Session>('sessions');

test('a protected table is read by all, written by its owner, and goes with it', async () => {
  const keeper = await start(Keeper, { name: 'keeper' });
  expect(() => sessions.get('a')).toThrow("there is no table 'sessions'");
  await keeper.call('make', { name: 'sessions' });
  await keeper.call('put', 'a', 'Ada');
  expect(sessions.get('a')).toEqual({ user: 'Ada', admin: false });
  expect(() => sessions.put('b', { user: 'Eve', admin: true })).toThrow(
    'is protected, and is not yours: ask keeper#',
  );
  expect(() => sessions.drop()).toThrow('not yours');
  expect(() => sessions.giveAway(keeper)).toThrow('not yours');
  expect(() => namedBagTable('sessions').get('a')).toThrow("table 'sessions' is a set, not a bag");
  expect(tables()).toEqual([
    { name: 'sessions', type: 'set', access: 'protected', owner: keeper, heir: undefined, rows: 1 },
  ]);
  keeper.exit('kill');
  expect(() => sessions.size).toThrow("there is no table 'sessions'");
});

test('an heir gets the table with its rows, by a message, and its rights', async () => {
  const [first, heir] = [await start(Keeper), await start(Keeper)];
  await first.call('make', { name: 'sessions', heir });
  await first.call('put', 'a', 'Ada');
  first.exit('kill');
  expect(await heir.call('owns')).toBe(`sessions of ${first}`);
  await heir.call('put', 'b', 'Eve');
  expect(sessions.size).toBe(2);
  heir.exit('kill');
  expect(tables()).toEqual([]);
});

test('a table goes when its heir is gone too', async () => {
  const [first, heir] = [await start(Keeper), await start(Keeper)];
  await first.call('make', { name: 'sessions', heir });
  heir.exit('kill');
  first.exit('kill');
  expect(tables()).toEqual([]);
});

test('who gives a table away has no more rights in it than others', async () => {
  const [first, next] = [await start(Keeper), await start(Keeper)];
  await first.call('make', { name: 'sessions' });
  await first.call('give', next);
  expect(await next.call('owns')).toBe(`sessions of ${first}`);
  await expect(first.call('put', 'a', 'Ada')).rejects.toThrow(`ask ${next}`);
  expect(first.alive).toBe(false);
  await next.call('put', 'a', 'Ada');
  expect(sessions.get('a')?.user).toBe('Ada');
});

test('public tables are written by all, private ones not even read', () => {
  const open = table<string, number>({ name: 'hits', access: 'public' });
  const hits = namedTable<string, number>('hits');
  expect(hits.updateCounter('home')).toBe(1);
  expect(hits.updateCounter('home', 5)).toBe(6);
  expect(hits.updateCounter('about', -1, 10)).toBe(9);
  expect(open.get('home')).toBe(6);
  expect(() => table({ name: 'hits' })).toThrow("there is a table 'hits' already");
  const secret = table<string, number>({ name: 'secret', access: 'private' });
  secret.put('a', 1);
  expect(() => namedTable('secret').get('a')).toThrow('is private');
  open.drop();
  secret.drop();
  expect(() => open.get('home')).toThrow("there is no table 'hits'");
  const again = table({ name: 'hits' });
  expect(() => open.get('home')).toThrow("there is no table 'hits'");
  again.drop();
});

test('rows are found by some of their fields, or by what a function says', () => {
  const own = table<string, Session>({ name: 'sessions' });
  own.put('a', { user: 'Ada', admin: true });
  own.put('b', { user: 'Eve', admin: false });
  own.put('c', { user: 'Ada', admin: false });
  const keys = (rows: [string, Session][]): string[] => rows.map(([key]) => key);
  expect(keys(own.match({ user: 'Ada' }))).toEqual(['a', 'c']);
  expect(keys(own.match({ user: 'Ada', admin: false }))).toEqual(['c']);
  expect(keys(own.match((value, key) => value.admin || key > 'b'))).toEqual(['a', 'c']);
  expect(keys(own.match({}))).toEqual(['a', 'b', 'c']);
  // @ts-expect-error not a field of the rows
  expect(own.match({ usr: 'Ada' })).toEqual([]);
  // @ts-expect-error not a number
  expect(() => own.updateCounter('a')).not.toThrow();
  own.drop();
});

const step = fc.record({
  what: fc.constantFrom('put', 'insertNew', 'delete', 'delete one', 'clear'),
  key: fc.constantFrom('a', 'b', 'c'),
  value: fc.nat(3),
});

test('sets and bags hold what a plain list of rows would', () => {
  fc.assert(
    fc.property(fc.array(step), (steps) => {
      const set = table<string, number>({ name: 'set' });
      const bag = bagTable<string, number>({ name: 'bag' });
      let one: [string, number][] = [];
      let many: [string, number][] = [];
      for (const { what, key, value } of steps) {
        const taken = (rows: [string, number][]): boolean => rows.some(([name]) => name === key);
        const others = (rows: [string, number][]): [string, number][] =>
          rows.filter(([name]) => name !== key);
        if (what === 'put') {
          set.put(key, value);
          bag.put(key, value);
          one = [...others(one), [key, value]];
          if (!many.some(([name, had]) => name === key && had === value)) many.push([key, value]);
        } else if (what === 'insertNew') {
          expect(set.insertNew(key, value)).toBe(!taken(one));
          expect(bag.insertNew(key, value)).toBe(!taken(many));
          if (!taken(one)) one.push([key, value]);
          if (!taken(many)) many.push([key, value]);
        } else if (what === 'delete') {
          expect(set.delete(key)).toBe(taken(one));
          expect(bag.delete(key)).toBe(taken(many));
          [one, many] = [others(one), others(many)];
        } else if (what === 'delete one') {
          const left = many.filter(([name, had]) => name !== key || had !== value);
          expect(bag.delete(key, value)).toBe(left.length < many.length);
          many = left;
        } else {
          set.clear();
          bag.clear();
          [one, many] = [[], []];
        }
        expect([...set.entries()].sort()).toEqual(one.toSorted());
        expect([...bag.entries()].sort()).toEqual(many.toSorted());
        expect([set.size, bag.size]).toEqual([one.length, many.length]);
        expect(bag.get(key)).toEqual(many.filter(([name]) => name === key).map(([, had]) => had));
      }
      set.drop();
      bag.drop();
    }),
  );
});
