import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { copyHello, startFw } from './fw.ts';

/** fw start: the app on this computer, supervised, and anew when its sources change. */
let dir: string;
let app: string;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'hearth-start-'));
  app = await copyHello(dir);
  const config = join(app, 'fw.config.ts');
  writeFileSync(config, readFileSync(config, 'utf8').replace('port: 8080', 'port: 0'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

let child: ChildProcess;
let lines: Interface;
let events: AsyncIterator<string>;
beforeEach(() => {
  child = startFw(['start', '--json'], { cwd: app, env: { HOME: dir } });
  lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
  events = lines[Symbol.asyncIterator]();
});
afterEach(async () => {
  if (child.exitCode === null && child.signalCode === null) {
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
});

interface Event {
  event: string;
  name?: string;
  pid?: number;
  line?: string;
  message?: string;
  code?: string;
}

/** The next event that passes; those before it are passed over. */
async function next(wanted: (event: Event) => boolean): Promise<Event> {
  for (;;) {
    const { value, done } = await events.next();
    if (done) throw new Error(`fw start ended with ${child.exitCode ?? child.signalCode}`);
    const event = JSON.parse(value) as Event;
    if (wanted(event)) return event;
  }
}
const state = (name: string): Promise<Event> =>
  next((event) => event.event === 'state' && event.name === name);

/** What the app answers, once it serves. */
async function page(): Promise<string> {
  const { line } = await next(({ line }) => /serving port=\d+/.test(line ?? ''));
  const port = /port=(\d+)/.exec(line ?? '')?.[1];
  return (await fetch(`http://127.0.0.1:${port}/`)).text();
}

function edit(path: string, from: string, to: string): void {
  const file = join(app, path);
  const text = readFileSync(file, 'utf8');
  expect(text).toContain(from);
  writeFileSync(file, text.replace(from, to));
}

const alive = (pid: number): boolean =>
  existsSync(`/proc/${pid}`) && !readFileSync(`/proc/${pid}/stat`, 'latin1').includes(') Z ');
const gone = (pid: number): Promise<boolean> =>
  vi.waitUntil(() => !alive(pid), { timeout: 20_000, interval: 20 });

test('serves; a change of a source or of the config is there at once; a mistake leaves what runs alone', async () => {
  const { pid: first = 0 } = await state('starting');
  expect(await page()).toContain('Hello from Hearth');

  edit('src/page.ts', 'return `', 'return `<!-- edited -->');
  await next(({ event }) => event === 'reload');
  const { pid: second = 0 } = await state('starting');
  expect(second).not.toBe(first);
  expect(alive(first)).toBe(false);
  expect(await page()).toContain('<!-- edited -->');

  edit('src/page.ts', '<!-- edited -->', '${oops');
  expect(await next(({ event }) => event === 'broken')).toMatchObject({ code: 'app-bundle' });
  expect(alive(second)).toBe(true);
  edit('src/page.ts', '${oops', '<!-- mended -->');
  expect(await page()).toContain('<!-- mended -->');

  edit('fw.config.ts', "greeting: 'Hello from Hearth'", "greeting: 'Hello again'");
  expect(await page()).toContain('Hello again');
});

test('an app that is killed is started again; Ctrl-C ends it in order and leaves nothing', async () => {
  const { pid: first = 0 } = await state('healthy');
  process.kill(first, 'SIGKILL');
  expect(await next(({ event }) => event === 'report')).toMatchObject({
    message: expect.stringContaining('SIGKILL'),
  });
  const { pid: second = 0 } = await state('healthy');
  child.kill('SIGINT');
  const [, signal] = await once(child, 'exit');
  expect(signal).toBe('SIGINT');
  expect(alive(second)).toBe(false);
});

test.runIf(process.platform === 'linux')('an app does not outlive a fw that is killed', async () => {
  const { pid = 0 } = await state('healthy');
  child.kill('SIGKILL');
  await once(child, 'exit');
  expect(await gone(pid)).toBe(true);
});
