import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import pins from '../../bin/node.json' with { type: 'json' };
import { integrityOf } from '../../src/build/hash.ts';
import { fw, type Outcome, outcome } from './fw.ts';
import { PackageServer } from './package-server.ts';

const BIN = join(import.meta.dirname, '..', '..', 'bin');

/** What the door needs beside itself. */
const MODULES = ['pinned-node.js', 'when-killed.js', 'home.js'];

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'hearth-pins-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

/** What the door asks, had another Node been pinned than the one that runs. */
async function compressesAsPinned(changed: object): Promise<boolean> {
  for (const file of MODULES) copyFileSync(join(BIN, file), join(dir, file));
  writeFileSync(join(dir, 'package.json'), '{"type":"module"}');
  writeFileSync(join(dir, 'node.json'), JSON.stringify({ ...pins, ...changed }));
  const module = await import(pathToFileURL(join(dir, 'pinned-node.js')).href);
  return module.compressesAsPinned();
}

test('the pins name the compressors of the pinned Node, under which the tests run', () => {
  const { node: version, zstd, zlib } = process.versions;
  expect({ version, zstd, zlib }).toEqual({ version: pins.version, zstd: pins.zstd, zlib: pins.zlib });
});

test('B2: fw leaves a Node whose compressors are not those of the pinned one', async () => {
  expect(await compressesAsPinned({ version: '99.0.0', zstd: '9.9.9' })).toBe(false);
});

test('B2: also when only zlib differs', async () => {
  expect(await compressesAsPinned({ version: '99.0.0', zlib: '9.9.9' })).toBe(false);
});

test('another Node with the same compressors will do', async () => {
  expect(await compressesAsPinned({ version: '99.0.0' })).toBe(true);
});

test('where none is pinned for the machine its own Node has to do', async () => {
  expect(await compressesAsPinned({ version: '99.0.0', zstd: '9.9.9', packages: {} })).toBe(true);
});

describe('the door, where there is no Node that it may go on with,', () => {
  beforeEach(() => {
    mkdirSync(join(dir, 'bin'));
    for (const file of ['fw.js', ...MODULES]) copyFileSync(join(BIN, file), join(dir, 'bin', file));
    writeFileSync(join(dir, 'package.json'), '{"type":"module"}');
    writeFileSync(
      join(dir, 'bin', 'node.json'),
      JSON.stringify({ ...pins, version: '99.0.0', zstd: '9.9.9' }),
    );
  });
  const open = (args: string[], env: Record<string, string>): Promise<Outcome> =>
    fw(args, { door: join(dir, 'bin', 'fw.js'), env: { HEARTH_CACHE: join(dir, 'cache'), ...env } });

  test('says so; to programs as JSON, as everything', async () => {
    const env = { HEARTH_OFFLINE: '1' };
    const message = expect.stringContaining(
      'Node 99.0.0, which hearthfw runs on, is not on this machine yet',
    );
    expect(await open(['build'], env)).toMatchObject({ code: 1, stdout: '', stderr: message });
    const { code, stdout, stderr } = await open(['build', '--json'], env);
    expect([code, stderr]).toEqual([1, '']);
    expect(JSON.parse(stdout)).toEqual({ error: { code: 'node-unavailable', message } });
  });

  test('nor a cache to put it into, says what to do', async () => {
    writeFileSync(join(dir, 'file'), '');
    const { code, stderr } = await open(['build'], { HEARTH_CACHE: join(dir, 'file', 'cache') });
    expect([code, stderr]).toEqual([1, expect.stringMatching(/ENOTDIR.*\n.*HEARTH_CACHE/)]);
  });
});

describe('npm', () => {
  /** Like the machine of a user whose npm has something to complain about. */
  let env: NodeJS.ProcessEnv;
  let registry: PackageServer;
  let tarball: Buffer;
  const cache = (): string => join(dir, 'cache');
  beforeEach(async () => {
    tarball = packed({ 'package.json': '{"name":"probe","version":"1.0.0"}', 'bin/node': PROGRAM });
    registry = await PackageServer.start();
    registry.publish('probe', '1.0.0', tarball);
    writeFileSync(join(dir, '.npmrc'), 'no-such-setting=1\n');
    env = {
      PATH: process.env.PATH,
      HOME: dir,
      HEARTH_CACHE: cache(),
      npm_config_registry: registry.npm,
      npm_config_fetch_retries: '0',
    };
  });
  afterEach(() => registry[Symbol.dispose]());

  const PROGRAM = '#!/bin/sh\necho the probe runs\n';

  /** An npm package as registries have it. */
  function packed(files: Record<string, string>): Buffer {
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(dir, 'package', path)), { recursive: true });
      writeFileSync(join(dir, 'package', path), text);
    }
    return execFileSync('tar', ['--format=ustar', '-cz', '-C', dir, 'package']);
  }

  const PACK = `
    const { npmPack } = await import(process.argv[1]);
    const [name, integrity] = process.argv.slice(2);
    await npmPack(name, '1.0.0', integrity).then(
      (bytes) => process.stdout.write(bytes),
      (error) => { console.error(error.message); process.exitCode = 1; });`;

  function start(code: string, args: string[], folder = BIN): ChildProcess {
    const module = pathToFileURL(join(folder, 'pinned-node.js')).href;
    return spawn(process.execPath, ['--input-type=module', '-e', code, module, ...args], { env, cwd: dir });
  }
  const pack = (name = 'probe', integrity = integrityOf(tarball)): Promise<Outcome> =>
    outcome(start(PACK, [name, integrity]));

  test('delivers what was pinned, without a word of its own', async () => {
    const { stdout, stderr, code } = await pack();
    expect({ stderr, code }).toEqual({ stderr: '', code: 0 });
    expect(stdout).toBe(tarball.toString('utf8'));
    expect(readdirSync(cache())).toEqual([]);
  });

  test('is quoted when it fails, its warnings left out', async () => {
    const { stderr, code } = await pack('no-such-package');
    expect(code).toBe(1);
    expect(stderr).toContain('npm could not fetch no-such-package@1.0.0: npm error');
    expect(stderr).toMatch(/404/);
    expect(stderr).not.toContain('no-such-setting');
    expect(readdirSync(cache())).toEqual([]);
  });

  test('that is not installed is told', async () => {
    env.PATH = dir;
    const { stderr, code } = await pack();
    expect({ stderr, code }).toMatchObject({ stderr: expect.stringContaining('spawn npm ENOENT'), code: 1 });
    expect(readdirSync(cache())).toEqual([]);
  });

  test('that delivers other bytes is not believed', async () => {
    const { stderr } = await pack('probe', 'sha512-other');
    expect(stderr).toContain('expected sha512-other');
    expect(readdirSync(cache())).toEqual([]);
  });

  test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
    '%s ends it too, and nothing is left',
    async (signal) => {
      const asked = registry.hold('/npm/probe/-/probe-1.0.0.tgz');
      const child = start(PACK, ['probe', integrityOf(tarball)]);
      const ended = outcome(child);
      const { gone } = await asked;
      expect(readdirSync(cache())).toEqual([expect.stringMatching(`^npm-${child.pid}-`)]);
      child.kill(signal);
      expect(await ended).toMatchObject({ code: null, signal, stderr: '' });
      await gone;
      expect(readdirSync(cache())).toEqual([]);
    },
  );

  test('brings the pinned Node once; two that want it at once both get it', async () => {
    for (const file of MODULES) copyFileSync(join(BIN, file), join(dir, file));
    writeFileSync(join(dir, 'package.json'), '{"type":"module"}');
    const packages = {
      [`${process.platform}-${process.arch}`]: { name: 'probe', integrity: integrityOf(tarball) },
    };
    writeFileSync(join(dir, 'node.json'), JSON.stringify({ version: '1.0.0', packages }));
    const ask = (): Promise<Outcome> =>
      outcome(start('const m = await import(process.argv[1]); console.log(await m.pinnedNode())', [], dir));
    const both = await Promise.all([ask(), ask()]);
    const path = both[0]?.stdout.trim() ?? '';
    expect(both.map(({ stdout, code }) => [stdout.trim(), code])).toEqual([
      [path, 0],
      [path, 0],
    ]);
    expect(execFileSync(path, { encoding: 'utf8' })).toBe('the probe runs\n');
    expect(readdirSync(join(cache(), 'node'))).toEqual([`1.0.0-${process.platform}-${process.arch}`]);
    expect(readdirSync(cache())).toEqual(['node']);
    // Not asked again: the registry is not there any more.
    env.npm_config_registry = 'http://127.0.0.1:1';
    expect(await ask()).toMatchObject({ stdout: `${path}\n`, stderr: '' });
  });
});
