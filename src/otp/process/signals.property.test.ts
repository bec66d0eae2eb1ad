import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { ServerRef } from '../server/ref.ts';
import { Server } from '../server/server.ts';
import { start } from '../server/start.ts';
import type { ExitReason } from './reason.ts';
import { Exit } from './signals.ts';

/**
 * Links and exit signals against a model written from Erlang's reference manual ("Processes": links, exit signals,
 * receiving exit signals) and from `erlang:exit/2`, `link/1`, `unlink/1`; it knows nothing of the library.
 */

const PROCESSES = 6;
type Reason = 'normal' | 'shutdown' | 'killed' | 'noproc';

interface Modelled {
  /** Undefined while it lives. */
  exited: Reason | undefined;
  traps: boolean;
  linked: Set<number>;
  /** The `{'EXIT', From, Reason}` messages that it got. */
  got: Map<string, number>;
}

class Model {
  readonly all: Modelled[] = Array.from({ length: PROCESSES }, () => ({
    exited: undefined,
    traps: false,
    linked: new Set(),
    got: new Map(),
  }));

  at(i: number): Modelled {
    const found = this.all[i];
    if (!found) throw new Error(`no process ${i}`);
    return found;
  }

  lives(i: number): boolean {
    return this.at(i).exited === undefined;
  }

  /** "If pid does not exist … an exit signal with reason noproc is sent to the calling process." */
  link(from: number, to: number): void {
    if (from === to || !this.lives(from)) return;
    if (this.lives(to)) {
      this.at(from).linked.add(to);
      this.at(to).linked.add(from);
    } else this.receive(from, to, 'noproc', false);
  }

  unlink(from: number, to: number): void {
    this.at(from).linked.delete(to);
    this.at(to).linked.delete(from);
  }

  /** What `exit/2` sends: 'kill' is untrappable, and `exit(self(), normal)` is not ignored. */
  signal(from: number, to: number, reason: Reason | 'kill'): void {
    if (!this.lives(from) || !this.lives(to)) return;
    if (reason === 'kill') this.terminate(to, 'killed');
    else this.receive(to, from, reason, from === to);
  }

  receive(to: number, from: number, reason: Reason, own: boolean): void {
    const receiver = this.at(to);
    if (receiver.exited !== undefined) return;
    if (receiver.traps) {
      const message = `${from} ${reason}`;
      receiver.got.set(message, (receiver.got.get(message) ?? 0) + 1);
    } else if (reason !== 'normal' || own) this.terminate(to, reason);
  }

  terminate(i: number, reason: Reason): void {
    const one = this.at(i);
    if (one.exited !== undefined) return;
    one.exited = reason;
    const linked = [...one.linked];
    for (const other of linked) this.unlink(i, other);
    for (const other of linked) this.receive(other, i, reason, false);
  }
}

class Actor extends Server {
  readonly got: Exit[] = [];
  override info(message: unknown): void {
    if (message instanceof Exit) this.got.push(message);
  }
  act(step: Step, all: readonly ServerRef<Actor>[]): void {
    const other = all[step.to];
    if (!other) return;
    if (step.do === 'link') this.link(other);
    else if (step.do === 'unlink') this.unlink(other);
    else if (step.do === 'trap') this.trapExit = step.on;
    else if (step.do === 'signal') other.exit(step.reason as ExitReason | 'kill');
    else this.stop(step.reason);
  }
  received(): Exit[] {
    return this.got;
  }
}

const index = fc.nat({ max: PROCESSES - 1 });
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('link' as const), from: index, to: index }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('unlink' as const), from: index, to: index }) },
  {
    weight: 2,
    arbitrary: fc.record({ do: fc.constant('trap' as const), from: index, to: index, on: fc.boolean() }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('signal' as const),
      from: index,
      to: index,
      reason: fc.constantFrom('normal' as const, 'shutdown' as const, 'kill' as const),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      do: fc.constant('stop' as const),
      from: index,
      to: index,
      reason: fc.constantFrom('normal' as const, 'shutdown' as const),
    }),
  },
);
type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

function model(steps: readonly Step[]): Model {
  const made = new Model();
  for (const { from, to, ...rest } of steps) {
    if (!made.lives(from)) continue;
    if (rest.do === 'link') made.link(from, to);
    else if (rest.do === 'unlink') made.unlink(from, to);
    else if (rest.do === 'trap') made.at(from).traps = rest.on;
    else if (rest.do === 'signal') made.signal(from, to, rest.reason);
    else made.terminate(from, rest.reason);
  }
  return made;
}

test('links and exit signals do what the manual says, on any graph', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 50 }), async (steps) => {
      const expected = model(steps);
      const all = await Promise.all(Array.from({ length: PROCESSES }, () => start(Actor)));
      // Processes have their turns in order: what the last one answers, the others before it have done.
      const last = await start(Actor);
      for (const each of steps) {
        all[each.from]?.cast('act', each, all);
        await last.call('received');
      }
      last.exit('kill');
      const index = new Map(all.map((ref, i) => [ref.find(), i]));
      for (const [i, ref] of all.entries()) {
        const { exited, linked, got } = expected.at(i);
        expect(ref.alive ? undefined : ref.find()?.reason).toBe(exited);
        expect(new Set([...(ref.find()?.links ?? [])].map((other) => index.get(other)))).toEqual(linked);
        if (!ref.alive) continue;
        const counted = new Map<string, number>();
        for (const { from, reason } of await ref.call('received')) {
          const message = `${index.get(from)} ${String(reason)}`;
          counted.set(message, (counted.get(message) ?? 0) + 1);
        }
        expect(counted).toEqual(got);
      }
      for (const ref of all) ref.exit('kill');
    }),
    { numRuns: 1_000 },
  );
});
