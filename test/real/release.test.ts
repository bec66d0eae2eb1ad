import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { mkdir, symlink } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { machineOf } from '../../src/formats/elf.ts';
import { copyHello, fwJson } from './fw.ts';

/** fw release: one build, unpacked elsewhere, driven as an operator does. */
const COREUTILS = ['cat', 'ln', 'ls', 'mkdir', 'mv', 'readlink', 'rm', 'sh', 'sleep', 'tail'];

interface Release {
  folder: string;
  archive: string;
  sha256: string;
  id: string;
}

let dir: string;
let app: string;
let release: Release;
let root: string;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'hearth-release-'));
  app = await copyHello(join(dir, 'src'));
  const entry = join(app, 'src', 'app.ts');
  writeFileSync(
    entry,
    readFileSync(entry, 'utf8').replace(
      '= config<Settings>()',
      '= { port: Number(process.env.PORT) } as Settings',
    ),
  );
  const config = join(app, 'fw.config.ts');
  writeFileSync(
    config,
    readFileSync(config, 'utf8').replace(/app: ('.*')/, 'app: { entry: $1, maxRestarts: 2 }'),
  );
  await mkdir(join(app, 'release', 'hooks'), { recursive: true });
  for (const name of ['pre_start', 'post_start', 'pre_stop']) {
    writeFileSync(
      join(app, 'release', 'hooks', name),
      `#!/bin/sh\necho ${name} >>"$HEARTH_VAR/hooks"\n[ "\${FAIL-}" != ${name} ]\n`,
    );
  }
  release = await fwJson<Release>(['release', '--app', app, '--out', join(dir, 'out')]);
  await mkdir(join(dir, 'srv'));
  execFileSync('tar', ['xzf', release.archive, '-C', join(dir, 'srv')]);
  root = join(dir, 'srv', basename(release.folder));
  await mkdir(join(dir, 'bin'));
  for (const name of COREUTILS) {
    const found = execFileSync('sh', ['-c', `command -v ${name}`], { encoding: 'utf8' }).trim();
    await symlink(found, join(dir, 'bin', name));
  }
}, 60_000);
afterAll(() => rmSync(dir, { recursive: true, force: true }));

let port: number;
let vars: string;
let env: Record<string, string>;
beforeEach(async () => {
  port = await freePort();
  vars = mkdtempSync(join(dir, 'var-'));
  env = { PATH: join(dir, 'bin'), HEARTH_VAR: vars, PORT: String(port) };
});
afterEach(async () => {
  await control('stop');
  expect(processesOf(join(dir, 'srv'))).toEqual([]);
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0);
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' ? (address?.port ?? 0) : 0;
}

interface Ended {
  code: number;
  stdout: string;
  stderr: string;
}

async function control(...args: string[]): Promise<Ended> {
  return run(join(root, 'bin', 'hello'), args);
}

async function run(file: string, args: string[], more: Record<string, string> = {}): Promise<Ended> {
  return promisify(execFile)(file, args, { env: { ...env, ...more } }).then(
    ({ stdout, stderr }) => ({ code: 0, stdout, stderr }),
    ({ code, stdout, stderr }: Ended) => ({ code, stdout, stderr }),
  );
}

interface Health {
  pid: number;
  version: string;
  uuid: string;
  node: string;
  target: string;
}

async function health(): Promise<Health> {
  return (await fetch(`http://127.0.0.1:${port}/health`)).json() as Promise<Health>;
}

/** Every process whose program lies in that folder, whatever its parent is by now. */
function processesOf(folder: string): string[] {
  return readdirSync('/proc').filter((pid) => {
    if (!/^\d+$/.test(pid)) return false;
    try {
      return readlinkSync(`/proc/${pid}/exe`).startsWith(folder);
    } catch {
      return false;
    }
  });
}

test('is the same bytes twice, and holds neither sources nor modules', async () => {
  const again = await fwJson<Release>(['release', '--app', app, '--out', join(dir, 'again')]);
  expect(again).toMatchObject({ sha256: release.sha256, id: release.id });
  expect(readFileSync(again.archive).equals(readFileSync(release.archive))).toBe(true);
  const files = readdirSync(root, { recursive: true, encoding: 'utf8' });
  expect(files.filter((path) => /\.ts$|\.map$|node_modules|package\.json/.test(path))).toEqual([]);
  expect(files).toEqual(expect.arrayContaining(['licences/node', 'licences/musl', 'licences/hearthfw']));
  expect(readFileSync(join(root, 'lib', 'app.mjs'), 'utf8')).not.toContain('sourceMappingURL');
  // The folder that was written is what the archive holds.
  execFileSync('diff', ['-r', release.folder, root]);
});

test('starts with nothing on PATH but coreutils, serves, comes back, and stop leaves no process', async () => {
  expect(await control('start')).toEqual({ code: 0, stdout: '', stderr: '' });
  const first = await health();
  const { node } = JSON.parse(readFileSync(join(root, 'lib', 'release.json'), 'utf8')) as { node: string };
  expect(first).toMatchObject({ version: '1.0.0', uuid: release.id, node: `v${node}`, target: 'linux_x64' });
  const { stdout: pid } = await control('pid');
  expect(processesOf(root)).toContain(pid.trim());
  expect(await control('daemon')).toMatchObject({ code: 1, stderr: `hello: it runs already, pid ${pid}` });

  process.kill(first.pid, 'SIGKILL');
  const second = await vi.waitUntil(() => health().catch(() => undefined), { timeout: 20_000, interval: 20 });
  expect(second.pid).not.toBe(first.pid);
  expect((await control('pid')).stdout).toBe(pid);

  expect(await control('restart')).toMatchObject({ code: 0 });
  expect((await control('pid')).stdout).not.toBe(pid);
  expect((await health()).pid).not.toBe(second.pid);

  expect(await control('stop')).toMatchObject({ code: 0, stderr: '' });
  expect(processesOf(root)).toEqual([]);
  expect(await control('pid')).toMatchObject({ code: 1 });
  expect(readFileSync(join(vars, 'hooks'), 'utf8').split('\n')).toEqual([
    ...['pre_start', 'post_start', 'pre_stop', 'pre_start', 'post_start', 'pre_stop', ''],
  ]);
  expect(readFileSync(join(vars, 'log', 'hello.log'), 'utf8')).toMatch(/^\S+Z \[hearth\] .*SIGKILL/m);
});

test('a heart that is killed takes hearthd and the app with it, and its pid file stops nobody', async () => {
  await control('start');
  process.kill(Number((await control('pid')).stdout), 'SIGKILL');
  await vi.waitUntil(() => processesOf(root).length === 0, { timeout: 20_000, interval: 20 });
  expect(await control('pid')).toMatchObject({ code: 1 });
  // The number lives on as somebody else's.
  const other = spawn('sleep', ['600']);
  const ended = once(other, 'exit');
  writeFileSync(join(vars, 'run', 'hello.pid'), `${other.pid} 1\n`);
  expect(await control('stop')).toMatchObject({ code: 0 });
  // A SIGTERM that was sent came first, and would be what ended it.
  other.kill('SIGINT');
  expect(await ended).toEqual([null, 'SIGINT']);
  expect(await control('start')).toMatchObject({ code: 0 });
});

test('a failing pre_start stops the start; an app that cannot run is told, and leaves nothing', async () => {
  const hello = join(root, 'bin', 'hello');
  const refused = await run(hello, ['start'], { FAIL: 'pre_start' });
  expect(refused).toMatchObject({
    code: 1,
    stderr: 'hello: the hook pre_start failed (status 1): not started\n',
  });
  expect(existsSync(join(vars, 'run', 'hello.pid'))).toBe(false);

  const broken = await run(hello, ['start'], { PORT: '99999' });
  expect(broken.code).toBe(1);
  expect(broken.stderr).toContain('ERR_SOCKET_BAD_PORT');
  expect(processesOf(root)).toEqual([]);
});

test('start --console stays in the foreground, and ends in order on SIGTERM', async () => {
  const child: ChildProcess = spawn(join(root, 'bin', 'hello'), ['start', '--console'], {
    env,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let out = '';
  child.stdout?.setEncoding('utf8').on('data', (text) => {
    out += text;
  });
  await vi.waitUntil(() => out.includes('is healthy'), { timeout: 20_000, interval: 20 });
  expect((await control('pid')).stdout).toBe(`${child.pid}\n`);
  child.kill('SIGTERM');
  expect(await once(child, 'exit')).toEqual([0, null]);
});

test('the deploy script puts a release in the place of the one that runs, and a bad one back out', async () => {
  const base = join(dir, 'srv', 'shop');
  const deploy = join(root, 'bin', 'deploy.sh');
  const tools = { HEARTH_VAR: '', PATH: `${env.PATH}:${process.env.PATH}` };
  expect(await run(deploy, [release.archive, base], tools)).toMatchObject({ code: 0 });
  const first = await health();
  expect(first.version).toBe('1.0.0');

  const config = join(app, 'fw.config.ts');
  const text = readFileSync(config, 'utf8');
  writeFileSync(config, text.replace("version: '1.0.0'", "version: '1.1.0'"));
  const newer = await fwJson<Release>(['release', '--app', app, '--out', dir]).finally(() =>
    writeFileSync(config, text),
  );
  const refused = await run(deploy, [newer.archive, base, 'false'], tools);
  expect(refused).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/back to hello-1\.0\.0-linux_x64\n$/),
  });
  expect((await health()).version).toBe('1.0.0');
  expect(await run(deploy, [newer.archive, base, 'true'], tools)).toMatchObject({ code: 0 });
  expect((await health()).version).toBe('1.1.0');
  expect(readlinkSync(join(base, 'current'))).toBe(join(base, 'releases', basename(newer.folder)));
  await run(join(base, 'current', 'bin', 'hello'), ['stop'], { HEARTH_VAR: join(base, 'var') });
});

test('version, eval, and wrong words', async () => {
  expect(await control('version')).toMatchObject({ code: 0, stdout: 'hello 1.0.0\n' });
  expect(await control('eval', 'process.env.HEARTH_PRODUCT + 1')).toMatchObject({ stdout: 'hello1\n' });
  const script = join(dir, 'migrate.ts');
  writeFileSync(
    script,
    'const env: string | undefined = process.env.FW_ENV;\nconsole.log(env);\nprocess.exitCode = 7;\n',
  );
  expect(await control('eval', script)).toMatchObject({ code: 7, stdout: 'dev\n' });
  expect(await control('rpc')).toMatchObject({ code: 2, stderr: 'hello: rpc takes one expression\n' });
  expect(await control('remote', '1')).toMatchObject({ code: 2 });
  expect(await control('frobnicate')).toMatchObject({ code: 2 });
});

test('linux_arm64 has programs for arm64', async () => {
  const arm = await fwJson<Release>(['release', '--app', app, '--out', dir, '--target', 'linux_arm64']);
  for (const name of ['node', 'heart'])
    expect(machineOf(readFileSync(join(arm.folder, 'lib', name)))).toBe('aarch64');
});
