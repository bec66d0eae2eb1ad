import { expect, test } from 'vitest';
import { named } from '../server/ref.ts';
import { Server } from '../server/server.ts';
import { child } from '../supervisor/child-spec.ts';
import { supervisor } from '../supervisor/supervisor.ts';
import { type Application, startApplications } from './application.ts';

let log: string[] = [];
class Part extends Server {
  #name = '';
  override init(name: string): void {
    this.#name = name;
    log.push(`+${name}`);
  }
  override terminate(): void {
    log.push(`-${this.#name}`);
  }
}
class Stubborn extends Part {
  override terminate(): Promise<void> {
    return new Promise(() => {});
  }
}
const unit = (name: string, rest: Partial<Application> = {}): Application => ({
  name,
  start: supervisor({ children: [child(Part, { args: [name], name })], maxRestarts: 0 }),
  stop: () => void log.push(`stopped ${name}`),
  ...rest,
});

test('each starts after what it depends on, and stops before it', async () => {
  log = [];
  const all = await startApplications([
    unit('web', { dependsOn: ['store', 'log'] }),
    unit('log'),
    unit('store', { dependsOn: ['log'] }),
  ]);
  expect(all.names()).toEqual(['log', 'store', 'web']);
  await all.stop();
  expect(log).toEqual([
    '+log',
    '+store',
    '+web',
    '-web',
    'stopped web',
    '-store',
    'stopped store',
    '-log',
    'stopped log',
  ]);
  expect(await all.ended).toBeUndefined();
});

test('a cycle, a missing one and a double one are named', async () => {
  const cycle = [
    unit('a', { dependsOn: ['b'] }),
    unit('b', { dependsOn: ['c'] }),
    unit('c', { dependsOn: ['b'] }),
  ];
  await expect(startApplications(cycle)).rejects.toThrow('b -> c -> b');
  await expect(startApplications([unit('a', { dependsOn: ['x'] })])).rejects.toThrow("depends on 'x'");
  await expect(startApplications([unit('a'), unit('a')])).rejects.toThrow("named 'a'");
});

test('one that fails to start: those before it are stopped', async () => {
  log = [];
  const bad = unit('bad', { start: () => Promise.reject(new Error('no disk')) });
  await expect(startApplications([unit('a'), bad])).rejects.toThrow("'bad' did not start: Error: no disk");
  expect(log).toEqual(['+a', '-a', 'stopped a']);
});

test('a temporary one may go; a permanent one takes all with it', async () => {
  log = [];
  const all = await startApplications([unit('a'), unit('b', { type: 'temporary' }), unit('c')]);
  named('b').exit('kill');
  await new Promise((resolve) => setImmediate(resolve));
  expect(all.names()).toEqual(['a', 'c']);
  named('a').exit('kill');
  expect(await all.ended).toEqual({ application: 'a', reason: 'shutdown' });
  expect(log).toEqual(['+a', '+b', '+c', 'stopped b', 'stopped a', '-c', 'stopped c']);
});

test('one that does not stop in time is killed', async () => {
  const start = supervisor({ children: [child(Stubborn, { args: ['s'], name: 's', shutdown: 'infinity' })] });
  const all = await startApplications([{ name: 's', start, stopTimeoutMs: 5 }]);
  await all.stop();
  expect(await all.ended).toBeUndefined();
  named('s').exit('kill');
});
