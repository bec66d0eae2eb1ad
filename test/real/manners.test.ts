import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { BuildResult } from '../../src/build/firmware.ts';
import { loadTarget } from '../../src/build/targets.ts';
import { run } from './disk-file.ts';
import { CACHE, copyHello, fw, fwJson, outcome, printed, startFw } from './fw.ts';
import { CARRY_ON, onTerminal } from './terminal.ts';

/** How fw behaves towards terminals, pipes, signals, and other runs of itself. */
let dir: string;
let app: string;
let firmware: string;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'hearth-manners-'));
  app = await copyHello(join(dir, 'project'));
  firmware = (await fwJson<BuildResult>(['build', '--app', app, '--target', 'x86_64'])).path;
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

let folders = 0;
function emptyFolder(): string {
  const path = join(dir, `folder-${folders++}`);
  mkdirSync(path);
  return path;
}

/** A cache that shares these kinds with the developer's own; `node` is the Node that fw itself runs on. */
function cacheWith(...shared: string[]): string {
  const cache = emptyFolder();
  for (const kind of ['node', ...shared]) symlinkSync(join(CACHE, kind), join(cache, kind));
  return cache;
}

/** The names of all files below a folder; links are not followed. */
function filesIn(folder: string): string[] {
  return run('find', folder, '-type', 'f').output.split('\n').filter(Boolean);
}

describe('a download', () => {
  let mirror: Server;
  let env: Record<string, string>;
  beforeAll(async () => {
    // Every package begins, at about 200 kB/s, and none comes to its end.
    const { lock } = await loadTarget('x86_64');
    mirror = createServer((request, response) => {
      const pkg = lock.packages.find(({ path }) => request.url?.endsWith(path));
      if (!pkg) return void response.writeHead(404).end();
      response.writeHead(200, { 'content-length': pkg.size });
      let left = Math.floor(pkg.size / 2);
      const timer = setInterval(() => {
        const piece = Math.min(left, 10_000);
        left -= piece;
        if (piece > 0) response.write(Buffer.alloc(piece));
      }, 50);
      response.on('close', () => clearInterval(timer));
    }).listen(0, '127.0.0.1');
    await once(mirror, 'listening');
    const { port } = mirror.address() as AddressInfo;
    env = { HEARTH_DEBIAN_MIRROR: `http://127.0.0.1:${port}/debian` };
  });
  afterAll(() => {
    mirror.closeAllConnections();
    mirror.close();
  });

  test('shows how far it is on one line of a terminal; Ctrl-C ends it, and nothing is left', async () => {
    const cache = cacheWith();
    const { screen, raw, type } = onTerminal(
      `${CARRY_ON} $FW build --target x86_64 --out ../out/x.fw; echo "STATUS $?"`,
      {
        cwd: app,
        columns: 70,
        env: { ...env, HEARTH_CACHE: cache },
      },
    );
    await expect
      .poll(raw, { timeout: 60_000, interval: 50 })
      .toMatch(/fetching \S+ {2}\d+ % of [\d.]+ [kM]B, [\d.]+ kB\/s, .* left/);
    type('\x03');
    await screen.waitFor('STATUS 130', { timeoutMs: 60_000 });
    expect(filesIn(cache)).toEqual([]);
    expect(filesIn(join(dir, 'project')).filter((path) => /x\.fw|\.part/.test(path))).toEqual([]);
    // One line that is replaced, never so wide that the terminal would break it.
    const drawn = raw().split('\x1b[K');
    expect(drawn.length).toBeGreaterThan(3);
    for (const line of drawn) expect(line.replace(/^.*\n/s, '').length).toBeLessThan(70);
    expect(raw().match(/fetching/g)?.length).toBeGreaterThan(raw().split('\n').length);
  });

  test('is told in plain lines elsewhere, and not at all to programs', async () => {
    const args = ['build', '--app', app, '--target', 'x86_64', '--out', join(emptyFolder(), 'x.fw')];
    const plain = startFw(args, { env: { ...env, HEARTH_CACHE: cacheWith() } });
    const ended = outcome(plain);
    await printed(plain, /fetching \S+ \([\d.]+ [kM]?B\)\n/);
    plain.kill('SIGTERM');
    const { signal, stdout, stderr } = await ended;
    expect([signal, stdout]).toEqual(['SIGTERM', '']);
    expect(stderr.split('\n')).toEqual(['preparing the system', expect.stringMatching(/^fetching /), '']);

    // A request has arrived: what it would say is said by now.
    const asked = once(mirror, 'request');
    const json = startFw([...args, '--json'], { env: { ...env, HEARTH_CACHE: cacheWith() } });
    const jsonEnded = outcome(json);
    await asked;
    json.kill('SIGINT');
    expect(await jsonEnded).toEqual({ code: null, signal: 'SIGINT', stdout: '', stderr: '' });
  });
});

test('a signal that is seen twice, as on a terminal, does not cut the cleaning up short; a later one does', async () => {
  const module = JSON.stringify(new URL('../../bin/when-killed.js', import.meta.url).href);
  const code = `
    import { whenKilled } from ${module};
    whenKilled(async () => {
      process.stdout.write('began;');
      // Asked twice: what came before the first question has been seen by the second.
      for (const answer of ['again;', '']) {
        await new Promise((resolve) => process.stdin.once('data', resolve));
        process.stdout.write(answer);
      }
      process.stdout.write('cleaned;');
    });
    process.stdin.resume();
    process.stdout.write('ready;');`;
  const start = async (): Promise<ReturnType<typeof startFw>> => {
    const child = spawn(process.execPath, ['--input-type=module', '-e', code]);
    onTestFinished(() => void child.kill('SIGKILL'));
    await printed(child, /ready;/);
    const began = printed(child, /began;/);
    child.kill('SIGINT');
    await began;
    return child;
  };
  const patient = await start();
  const patientEnded = outcome(patient);
  const again = printed(patient, /again;/);
  patient.kill('SIGINT');
  patient.stdin?.write('go');
  await again;
  patient.stdin?.write('go');
  expect(await patientEnded).toMatchObject({ signal: 'SIGINT', stdout: 'again;cleaned;' });

  const impatient = await start();
  const impatientEnded = outcome(impatient);
  // As long as it takes to press it again on purpose.
  const pressed = setInterval(() => impatient.kill('SIGTERM'), 100);
  expect(await impatientEnded.finally(() => clearInterval(pressed))).toMatchObject({
    signal: 'SIGTERM',
    stdout: '',
  });
});

test('from the first signal to the end of the cleaning there is always somebody who listens', async () => {
  const module = JSON.stringify(new URL('../../bin/when-killed.js', import.meta.url).href);
  const code = `
    import { whenKilled } from ${module};
    const { removeListener } = process;
    process.removeListener = (signal, listener) => {
      removeListener.call(process, signal, listener);
      if (process.listenerCount(signal) === 0) process.stdout.write('deaf;');
      return process;
    };
    whenKilled(async () => process.stdout.write('cleaned;'));
    process.stdin.resume();
    process.stdout.write('ready;');`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', code]);
  onTestFinished(() => void child.kill('SIGKILL'));
  await printed(child, /ready;/);
  const ended = outcome(child);
  child.kill('SIGINT');
  expect(await ended).toMatchObject({
    signal: 'SIGINT',
    stdout: expect.stringMatching(/^cleaned;(deaf;)*$/),
  });
});

test('a build that is interrupted while it compresses leaves nothing', async () => {
  const cache = cacheWith('systems', 'files');
  const out = emptyFolder();
  const child = startFw(['build', '--app', app, '--target', 'x86_64', '--out', join(out, 'x.fw')], {
    env: { HEARTH_CACHE: cache },
  });
  const ended = outcome(child);
  await printed(child, /compressing the root file system\n/);
  child.kill('SIGINT');
  expect(await ended).toMatchObject({ code: null, signal: 'SIGINT' });
  expect(filesIn(cache).filter((path) => path.includes('.part'))).toEqual([]);
  expect(readdirSync(out)).toEqual([]);
});

test('an image that is interrupted is not there; one that is finished is whole', async () => {
  const ends: unknown[] = [];
  // The last byte may be written before the signal arrives.
  for (let attempt = 0; attempt < 5 && !ends.includes('SIGINT'); attempt++) {
    const out = emptyFolder();
    const child = startFw(['image', firmware, '-o', join(out, 'disk.img')]);
    const ended = outcome(child);
    await printed(child, /writing the disk/);
    child.kill('SIGINT');
    const { code, signal } = await ended;
    ends.push(signal);
    expect([signal, readdirSync(out)]).toEqual(code === 0 ? [null, ['disk.img']] : ['SIGINT', []]);
  }
  expect(ends).toContain('SIGINT');
});

describe('output', () => {
  const DOOR = fileURLToPath(new URL('../../bin/fw.js', import.meta.url));
  const shell = (line: string): ReturnType<typeof run> =>
    run('bash', '-c', `set -o pipefail; fw() { '${process.execPath}' '${DOOR}' "$@"; }; ${line}`);

  test('that nobody reads is no failure; output that cannot be written is one', () => {
    expect(shell('fw --help | true')).toEqual({ status: 0, output: '' });
    expect(shell(`fw build --app '${app}' --target x86_64 2>&1 | true`)).toEqual({ status: 0, output: '' });
    expect(shell('fw --version >&-').status).toBe(0);
    const full = shell('fw --help > /dev/full');
    expect(full.status).toBe(1);
    expect(full.output).toMatch(/^fw: the result could not be written: ENOSPC/);
  });

  test.each([
    ['has colours on a terminal', {}, true],
    ['has none with NO_COLOR', { NO_COLOR: '1' }, false],
    ['has none on a dumb terminal', { TERM: 'dumb' }, false],
  ])('%s', async (_name, env, coloured) => {
    const { raw, child } = onTerminal('$FW biuld; $FW --help', { env: env as Record<string, string> });
    await once(child, 'close');
    expect(raw()).toContain('Did you mean build?');
    expect(raw()).toContain('First steps');
    expect(raw().includes('\x1b[31mfw:')).toBe(coloured);
    expect(raw().includes('\x1b[1mUsage:')).toBe(coloured);
    if (!coloured) expect(raw()).not.toContain('\x1b');
  });

  test('has colours elsewhere only when they are forced', async () => {
    expect((await fw(['biuld'])).stderr).not.toContain('\x1b');
    expect((await fw(['biuld'], { env: { FORCE_COLOR: '1' } })).stderr).toContain('\x1b[31mfw:');
  });
});

describe('programs are told in JSON', () => {
  test.each([
    [['--version'], 0],
    [['--help'], 0],
    [['help', 'build'], 0],
    [['build', '--help'], 0],
    [['completion', 'bash'], 0],
    [[], 2],
    [['key'], 2],
    [['biuld'], 2],
    [['help', 'biuld'], 2],
    [['build', '--taget', 'rpi3'], 2],
    [['build', '--app', '/nowhere'], 1],
    [['run', '/nowhere.fw'], 1],
  ])('fw %j', async (args, expected) => {
    const { code, stdout, stderr } = await fw([...args, '--json']);
    expect([code, stderr]).toEqual([expected, '']);
    expect(stdout.split('\n')).toHaveLength(2);
    const object = JSON.parse(stdout);
    expect(object.error?.code === undefined).toBe(expected === 0);
    if (expected === 2) expect(object.error.code).toBe('wrong-usage');
  });

  test('help is that of the verb that was asked about', async () => {
    const helpOf = async (...args: string[]) => JSON.parse((await fw([...args, '--json'])).stdout);
    expect(await helpOf('build', '--help')).toMatchObject({ name: 'build', verbs: [] });
    expect(await helpOf('key', '--help')).toMatchObject({ name: 'key', verbs: expect.any(Array) });
  });

  test('also when --json stands before the verb, and with the stack when that is asked for', async () => {
    const { code, stdout, stderr } = await fw(['--json', '--verbose', 'build', '--app', '/nowhere']);
    expect([code, stderr]).toEqual([1, '']);
    expect(JSON.parse(stdout).error).toMatchObject({
      code: 'no-config',
      stack: expect.arrayContaining([expect.stringContaining('load.ts')]),
    });
  });
});

test('fw answers at once: what is heavy is loaded by the verb that needs it', async () => {
  const coverage = emptyFolder();
  await fw(['--help'], { env: { NODE_V8_COVERAGE: coverage } });
  const loaded = readdirSync(coverage).flatMap((name) =>
    JSON.parse(readFileSync(join(coverage, name), 'utf8')).result.map(({ url }: { url: string }) => url),
  );
  expect(loaded).toContainEqual(expect.stringContaining('src/cli/main'));
  expect(loaded.filter((url: string) => /node_modules\/(?!commander\/)/.test(url))).toEqual([]);
});
