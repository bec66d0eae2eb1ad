import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { processTable } from '../process/process-table.ts';
import { Server } from '../server/server.ts';
import { child } from './child-spec.ts';
import { dynamicSupervisor, namedDynamicSupervisor } from './dynamic.ts';
import { startSupervisor, supervisor } from './supervisor.ts';

let before = 0;
let refusals = 0;
beforeEach(() => {
  before = processTable.size;
  refusals = 0;
});
afterEach(() => expect(processTable.size).toBe(before));

class Session extends Server {
  override init(_user: string): void {
    if (refusals > 0 && refusals--) throw new Error('refused');
  }
  crash(): void {
    throw new Error('crashed');
  }
  finish(): void {
    this.stop();
  }
}
class Stubborn extends Session {
  override terminate(): Promise<void> {
    return new Promise(() => {});
  }
}
const settle = () => new Promise((resolve) => setImmediate(resolve));

test('children come, go, and are known by their references', async () => {
  const sessions = await startSupervisor(dynamicSupervisor({ maxChildren: 2 }));
  const ann = await sessions.startChild(child(Session, { args: ['ann'], restart: 'transient' }));
  const bob = await sessions.startChild(child(Session, { args: ['bob'], restart: 'temporary' }));
  const third = sessions.startChild(child(Session, { args: ['eve'] }));
  await expect(third).rejects.toMatchObject({ code: 'max-children' });
  bob?.cast('crash');
  ann?.cast('crash');
  await settle();
  const [info] = await sessions.children();
  expect(info).toMatchObject({ id: 'Session', status: 'running', restarts: 1 });
  expect(ann?.alive).toBe(false);
  if (info?.ref) await sessions.terminateChild(info.ref);
  expect(await sessions.count()).toEqual({ specs: 0, active: 0, supervisors: 0, workers: 0 });
  if (bob) await expect(sessions.terminateChild(bob)).rejects.toMatchObject({ code: 'not-found' });
  await sessions.stop();
});

test('a start that fails leaves nothing; a restart that fails is tried again, and counts', async () => {
  const sessions = await startSupervisor(dynamicSupervisor());
  refusals = 1;
  const spec = child(Session, { args: ['ann'] });
  await expect(sessions.startChild(spec)).rejects.toMatchObject({ code: 'start-failed' });
  expect((await sessions.count()).specs).toBe(0);
  const ann = await sessions.startChild(spec);
  refusals = 2;
  ann?.cast('crash');
  await settle();
  const [again] = await sessions.children();
  expect(again?.restarts).toBe(3);
  again?.ref?.exit(new Error('once more'));
  expect(await sessions.ended()).toBe('shutdown');
});

test('back-off: the child waits, others come; one that waits can be given up', async () => {
  const sessions = await startSupervisor(
    dynamicSupervisor({ backoff: { minMs: 5, maxMs: 60_000, factor: 10_000 } }),
  );
  const ann = await sessions.startChild(child(Session, { args: ['ann'] }));
  ann?.cast('crash');
  await settle();
  await vi.waitFor(async () => expect((await sessions.children())[0]?.status).toBe('running'), 10_000);
  const [up] = await sessions.children();
  up?.ref?.exit(new Error('again'));
  await settle();
  expect(await sessions.count()).toMatchObject({ specs: 1, active: 0 });
  expect(await sessions.startChild(child(Session, { args: ['bob'], restart: 'temporary' }))).toBeDefined();
  if (up?.ref) await sessions.terminateChild(up.ref);
  expect(await sessions.count()).toMatchObject({ specs: 1, active: 1 });
  await sessions.stop();
});

test('all stop at once, each within its own time', async () => {
  const top = await startSupervisor(supervisor({ children: [dynamicSupervisor({ name: 'sessions' })] }));
  const sessions = namedDynamicSupervisor('sessions');
  for (const shutdown of [5, 5, 10, 'brutal'] as const)
    await sessions.startChild(child(Stubborn, { args: ['x'], shutdown }));
  const timers = vi.spyOn(globalThis, 'setTimeout');
  await top.stop();
  expect(timers.mock.calls.map(([, ms]) => ms)).toEqual([5, 10]);
  timers.mockRestore();
});
