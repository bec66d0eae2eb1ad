import fc from 'fast-check';
import { expect, test } from 'vitest';
import { AlreadyStartedError } from '../process/names.ts';
import { processTable } from '../process/process-table.ts';
import type { ServerRef } from '../server/ref.ts';
import { Server } from '../server/server.ts';
import { start } from '../server/start.ts';
import { DuplicateRegistry } from './duplicate-registry.ts';
import { Groups } from './groups.ts';
import { Registry } from './registry.ts';

const KEYS = ['a', 'b', 'c', 'd'];
const WORKERS = 5;

class Worker extends Server {}

const action = fc.record({
  what: fc.constantFrom('register', 'unregister', 'join', 'leave', 'add', 'remove', 'exit', 'kill'),
  who: fc.nat(WORKERS - 1),
  key: fc.constantFrom(...KEYS),
});

/** The same as plain lists of [key, worker], without a thought of speed. */
class Model {
  unique: [string, ServerRef<Worker>][] = [];
  many: [string, ServerRef<Worker>][] = [];
  joined: [string, ServerRef<Worker>][] = [];
  ends(who: ServerRef<Worker>): void {
    const others = ([, owner]: [string, unknown]): boolean => owner !== who;
    this.unique = this.unique.filter(others);
    this.many = this.many.filter(others);
    this.joined = this.joined.filter(others);
  }
}

test('registries and groups are what plain lists say, through any registrations and ends', async () => {
  const actions = fc.array(action, { maxLength: 60 });
  await fc.assert(
    fc.asyncProperty(actions, async (steps) => {
      const unique = new Registry<string, undefined, Worker>();
      const many = new DuplicateRegistry<string, undefined, Worker>();
      const groups = new Groups<string, Worker>();
      const model = new Model();
      const workers = await Promise.all(Array.from({ length: WORKERS }, () => start(Worker)));
      for (const { what, who, key } of steps) {
        const worker = workers[who] as ServerRef<Worker>;
        const holder = model.unique.find(([taken]) => taken === key)?.[1];
        if (what === 'register' && holder) {
          expect(() => unique.register(key, undefined, worker)).toThrow(AlreadyStartedError);
        } else if (what === 'register') {
          unique.register(key, undefined, worker);
          model.unique.push([key, worker]);
        } else if (what === 'unregister') {
          unique.unregister(key, worker);
          model.unique = model.unique.filter(([taken, owner]) => taken !== key || owner !== worker);
        } else if (what === 'add') {
          many.register(key, undefined, worker);
          model.many.push([key, worker]);
        } else if (what === 'remove') {
          many.unregister(key, worker);
          model.many = model.many.filter(([taken, owner]) => taken !== key || owner !== worker);
        } else if (what === 'join') {
          groups.join(key, worker);
          model.joined.push([key, worker]);
        } else if (what === 'leave') {
          const at = model.joined.findIndex(([group, member]) => group === key && member === worker);
          expect(groups.leave(key, worker)).toBe(at >= 0);
          if (at >= 0) model.joined.splice(at, 1);
        } else {
          worker.exit(what === 'kill' ? 'kill' : 'shutdown');
          expect(worker.alive).toBe(false);
          model.ends(worker);
          workers[who] = await start(Worker);
        }
        const under = (list: [string, ServerRef<Worker>][]): ServerRef<Worker>[] =>
          list.filter(([taken]) => taken === key).map(([, owner]) => owner);
        expect(unique.lookup(key)?.ref).toBe(under(model.unique)[0]);
        expect(many.lookup(key).map(({ ref }) => ref)).toEqual(under(model.many));
        expect(groups.members(key)).toEqual(under(model.joined));
        expect([unique.count(), many.count()]).toEqual([model.unique.length, model.many.length]);
        for (const one of workers) {
          const keys = (list: [string, ServerRef<Worker>][]): string[] =>
            list.filter(([, owner]) => owner === one).map(([taken]) => taken);
          expect(unique.keys(one)).toEqual(keys(model.unique));
          expect(many.keys(one)).toEqual(keys(model.many));
        }
      }
      for (const worker of workers) worker.exit('kill');
      expect([unique.count(), many.count(), groups.groups().length]).toEqual([0, 0, 0]);
    }),
    { numRuns: 150 },
  );
  expect(processTable.size).toBe(0);
});
