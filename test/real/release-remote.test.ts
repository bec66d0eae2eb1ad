import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import type { ReleaseResult } from '../../src/build/release/index.ts';
import { copyHello, fwJson, type Outcome, outcome } from './fw.ts';
import { onTerminal, type Terminal } from './terminal.ts';

/** `remote` and `rpc`: people inside an app that runs. */

const APP = `
import { child, run, Server, supervisor } from 'hearthfw';
class Counter extends Server {
  count = 0;
  add(by: number) {
    this.count += by;
    return this.count;
  }
}
run(supervisor({ children: [child(Counter, { name: 'counter' })] }));
`;

let dir: string;
let program: string;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'hearth-remote-'));
  const app = await copyHello(dir);
  writeFileSync(join(app, 'src', 'app.ts'), APP);
  const config = join(app, 'fw.config.ts');
  // What hangs is left alone for as long as a test looks at it.
  writeFileSync(
    config,
    readFileSync(config, 'utf8').replace(/app: ('.*')/, 'app: { entry: $1, beatTimeoutMs: 60_000 }'),
  );
  const { folder } = await fwJson<ReleaseResult>(['release', '--app', app, '--out', dir]);
  program = join(folder, 'bin', 'hello');
}, 60_000);
afterAll(() => rmSync(dir, { recursive: true, force: true }));

let vars: string;
let env: Record<string, string>;
beforeEach(async () => {
  vars = mkdtempSync(join(dir, 'var-'));
  env = { PATH: process.env.PATH ?? '', HEARTH_VAR: vars, HOME: vars };
  expect(await control('start')).toMatchObject({ code: 0, stderr: '' });
});
afterEach(async () => {
  expect(await control('stop')).toMatchObject({ code: 0 });
});

function start(...args: string[]): ChildProcess {
  const process = spawn(program, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
  onTestFinished(() => void process.kill('SIGKILL'));
  return process;
}

function control(...args: string[]): Promise<Outcome> {
  return outcome(start(...args));
}

const rpc = (text: string): Promise<Outcome> => control('rpc', text);

async function appPid(): Promise<number> {
  return Number((await rpc('process.pid')).stdout);
}

function log(): string {
  return readFileSync(join(vars, 'log', 'hello.log'), 'utf8');
}

/** A console on a terminal, at its first prompt. What stands after it in the shell runs once it has been left. */
async function remote(after = ''): Promise<Terminal> {
  const terminal = onTerminal(`tty; '${program}' remote; echo left with $?; ${after}`, { env });
  onTestFinished(() => void terminal.child.kill('SIGKILL'));
  await terminal.screen.waitFor(/pid \d+, Node v/);
  await prompt(terminal);
  return terminal;
}

function prompt({ screen }: Terminal): Promise<unknown> {
  return screen.waitFor(/^hello> $/m, { partial: true });
}

/** One line, as a person enters it; what the console says to it. */
async function enter(terminal: Terminal, line: string, answer: RegExp): Promise<string> {
  terminal.type(`${line}\r`);
  const [found] = await terminal.screen.waitFor(answer);
  return found;
}

test('rpc prints values, awaits promises, and knows the processes of the app', async () => {
  expect(await rpc('1 + 1')).toMatchObject({ code: 0, stdout: '2\n', stderr: '' });
  expect(await rpc('named("counter").call("add", 5)')).toMatchObject({ stdout: '5\n' });
  expect(await rpc('const by: number = 2; return named("counter").call("add", by)')).toMatchObject({
    stdout: '7\n',
  });
  expect(await rpc('sys.getState(named("counter"))')).toMatchObject({ stdout: '{ count: 7 }\n' });
  expect((await rpc('processes().map(({ name }) => name)')).stdout).toContain("'counter'");
  expect(await rpc('device.product')).toMatchObject({ stdout: 'hello\n' });
  expect(
    await rpc('console.log("to you"); console.error("too"); return [process.env.HEARTH_TARGET]'),
  ).toMatchObject({
    stdout: "to you\n[ 'linux_x64' ]\n",
    stderr: 'too\n',
  });
  expect(log()).not.toContain('to you');
});

test('rpc ends with 1 and the stack of what is thrown, and the app goes on', async () => {
  const pid = await appPid();
  const thrown = await rpc(
    'const own = () => {\n  throw new TypeError("no", { cause: 1 })\n}; await 0; own()',
  );
  expect(thrown).toMatchObject({ code: 1, stdout: '' });
  expect(thrown.stderr).toMatch(/^TypeError: no\n {4}at own \(rpc:2:9\)\n[\s\S]*\[cause\]: 1/);
  expect(thrown.stderr).not.toContain('app.mjs');
  expect(await rpc('throw 5')).toMatchObject({ code: 1, stderr: 'thrown: 5\n' });
  expect(await rpc('1 +')).toMatchObject({ code: 1, stderr: expect.stringContaining('SyntaxError') });
  expect(await rpc('for (;;);')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('without an await, and was ended'),
  });
  expect(await appPid()).toBe(pid);
});

test('output of megabytes arrives whole, also where it is read late; many ask at once', async () => {
  const big = start('rpc', '"é".repeat(4_000_000)');
  const late = start('rpc', '"x".repeat(4_000_000)');
  const answers = Array.from({ length: 6 }, (_, n) =>
    rpc(`await new Promise((r) => setTimeout(r, 50)); return ${n}`),
  );
  expect((await outcome(big)).stdout).toBe(`${'é'.repeat(4_000_000)}\n`);
  expect((await Promise.all(answers)).map(({ stdout }) => stdout)).toEqual(
    [0, 1, 2, 3, 4, 5].map((n) => `${n}\n`),
  );
  expect((await outcome(late)).stdout).toHaveLength(4_000_001);
});

test('remote: a console with completion, history, Ctrl-C, and names of its own in each', async () => {
  const pid = await appPid();
  const [one, two] = await Promise.all([remote(), remote()]);
  await enter(one, 'const mine: string = "first"', /undefined/);
  await enter(two, 'const mine = "second"', /undefined/);
  await enter(one, 'mine.length', /^5/);
  await enter(two, 'mine.length', /^6/);
  await enter(one, 'await named("counter").call("add", 1)', /^1/);
  await enter(two, 'await named("counter").call("add", 1)', /^2/);

  one.type('namedSu');
  await one.screen.waitFor(/namedSu$/, { partial: true });
  one.type('\t');
  await one.screen.waitFor(/pervisor$/, { partial: true });
  one.type('\x03');
  await prompt(one);
  await enter(one, 'await new Promise(() => {})', /await new/);
  one.type('\x03');
  await one.screen.waitFor(/interrupted by/);
  await enter(one, 'void setTimeout(() => { throw new Error("later") })', /Uncaught Error: later/);
  await enter(one, 'void Promise.reject(new Error("unheard"))', /Uncaught Error: unheard/);

  one.type('\x04');
  await one.screen.waitFor('left with 0');
  await enter(two, '.exit', /left with 0/);
  expect(readFileSync(join(vars, '.hearth_history'), 'utf8')).toContain('mine.length');
  expect(await rpc('process.pid')).toMatchObject({ stdout: `${pid}\n` });
});

test('remote learns of the size of its terminal', async () => {
  const terminal = await remote();
  const [tty = ''] = /\/dev\/pts\/\d+/.exec(terminal.raw()) ?? [];
  await enter(terminal, 'console._stdout.columns', /^80/);
  await prompt(terminal);
  await outcome(spawn('stty', ['-F', tty, 'cols', '132'], { stdio: ['ignore', 'pipe', 'pipe'] }));
  // The prompt is drawn anew.
  await terminal.screen.waitFor(/hello> $/, { partial: true });
  await enter(terminal, 'console._stdout.columns', /^132/);
  terminal.type('\x04');
  await terminal.screen.waitFor('left with 0');
});

test('remote reads a script where there is no terminal', async () => {
  const script = spawn(
    'sh',
    ['-c', `printf '[device.product]\\nawait Promise.resolve(5)\\n' | '${program}' remote`],
    { env },
  );
  expect(await outcome(script)).toMatchObject({ code: 0, stdout: "[ 'hello' ]\n5\n", stderr: '' });
});

test('an app that ends takes its sessions along, with a message and a terminal as it was', async () => {
  const terminal = await remote('stty -a');
  const pid = await appPid();
  expect(await rpc('process.kill(process.pid, "SIGKILL")')).toMatchObject({
    code: 1,
    stderr: 'hello: the app has ended, and the session with it\n',
  });
  await terminal.screen.waitFor('the app has ended, and the session with it');
  await terminal.screen.waitFor('left with 1');
  await terminal.screen.waitFor(/(^|[^-])icanon.*/);
  const next = await vi.waitUntil(() => appPid().then((now) => now || undefined), {
    timeout: 20_000,
    interval: 50,
  });
  expect(next).not.toBe(pid);
});

test('stop does not wait for consoles, and tells them', async () => {
  const terminal = await remote();
  expect(await control('stop')).toMatchObject({ code: 0, stderr: '' });
  await terminal.screen.waitFor('the app stops: hearthd asked');
  await terminal.screen.waitFor('left with 1');
  for (const args of [['rpc', '1'], ['remote']])
    expect(await control(...args)).toMatchObject({ code: 1, stderr: 'hello: it does not run\n' });
});

test('an app that stands still cannot answer: the caller is told what to do', async () => {
  const pid = await appPid();
  process.kill(pid, 'SIGSTOP');
  const { code, stderr } = await rpc('1').finally(() => process.kill(pid, 'SIGCONT'));
  expect(code).toBe(1);
  expect(stderr).toMatch(/has not answered for 5 s.*restarts it after 60 s.*bin\/hello restart/);
  // Whoever has gone is not missed.
  expect(await rpc('1')).toMatchObject({ stdout: '1\n' });
});

test('only the user that runs it may connect, and rubbish does no harm', async () => {
  const path = join(vars, 'run', 'hello.sock');
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(statSync(join(vars, 'run')).mode & 0o777).toBe(0o700);
  const pid = await appPid();
  for (const rubbish of ['GET / HTTP/1.1\r\n\r\n', '\u0001\u0000\u0000\u0000\u0001x', '\u0001']) {
    const socket = createConnection(path).end(rubbish).resume();
    await once(socket, 'close');
  }
  expect(await appPid()).toBe(pid);
});

test('a socket that was left behind is in nobody’s way, and a path that is too long costs no outage', async () => {
  const [hearthd, pid] = [Number((await rpc('process.ppid')).stdout), await appPid()];
  process.kill(hearthd, 'SIGKILL');
  // heart starts the next one, which finds the socket of the first.
  const next = await vi.waitUntil(() => appPid().then((now) => now || undefined), {
    timeout: 20_000,
    interval: 50,
  });
  expect(next).not.toBe(pid);

  await control('stop');
  vars = join(vars, 'a-long-name'.repeat(9));
  mkdirSync(vars);
  env.HEARTH_VAR = vars;
  expect(await control('start')).toMatchObject({ code: 0 });
  const told = /that of a Unix socket may have 107: choose a shorter HEARTH_VAR/;
  expect(log()).toMatch(told);
  expect(await rpc('1')).toMatchObject({ code: 1, stderr: expect.stringMatching(told) });
});
