import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import {
  child,
  logger,
  logging,
  named,
  PortError,
  Server,
  startSupervisor,
  supervisor,
} from '../otp/index.ts';
import { sayReports } from './reports.ts';

class Fragile extends Server {
  break(error: Error): void {
    throw error;
  }
}

let said: string[];
let stop: () => void;
beforeEach(async () => {
  said = [];
  logging.addBackend('test', { write: (line) => said.push(line) }, { format: ({ message }) => message });
  stop = sayReports(logger);
});
afterEach(() => {
  stop();
  logging.removeBackend('test');
});

async function broken(work: () => void, maxRestarts = 3): Promise<string[]> {
  const children = [child(Fragile, { name: 'fragile' })];
  const top = await startSupervisor(supervisor({ maxRestarts, children }));
  const first = named<Fragile>('fragile').process();
  work();
  if (maxRestarts === 0) await top.ended();
  else await vi.waitFor(() => expect(named<Fragile>('fragile').process()).not.toBe(first), 10_000);
  await top.stop();
  return said;
}

test('a crash is one line, with its place in the source', async () => {
  const lines = await broken(() => named<Fragile>('fragile').cast('break', new TypeError('no such field')));
  expect(lines).toEqual([
    expect.stringMatching(/^fragile crashed: TypeError: no such field\n +at .*reports\.test\.ts/),
  ]);
});

test('the end of a program is one line, without a place: it is no fault of ours', async () => {
  const lines = await broken(() =>
    named<Fragile>('fragile').cast('break', new PortError('port-exit', 'udhcpc ended by SIGKILL')),
  );
  expect(lines).toEqual(['fragile: udhcpc ended by SIGKILL']);
});

test('one that was killed reports nothing: its supervisor does', async () => {
  expect(await broken(() => named<Fragile>('fragile').exit('kill'))).toEqual([
    'fragile: child_terminated: killed',
  ]);
});

test('a supervisor that gives up leaves that to who started it', async () => {
  expect(await broken(() => named<Fragile>('fragile').exit('kill'), 0)).toEqual([
    'fragile: child_terminated: killed',
  ]);
});
