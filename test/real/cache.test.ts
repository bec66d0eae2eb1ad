import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cacheContents } from '../../src/build/cache/contents.ts';
import { Cache } from '../../src/build/cache.ts';
import { claim } from '../../src/build/claim.ts';
import type { BuildResult } from '../../src/build/firmware.ts';
import { seededRandom } from '../../src/build/test-random.ts';
import { run } from './disk-file.ts';
import { CACHE, copyHello, fw, fwJson, outcome, startFw } from './fw.ts';

/** The cache's manners, with real builds: kept within its limit, shared, cleaned under builds that run, read-only. */
let dir: string;
let app: string;
let reference: BuildResult;
/** How long a build takes that finds its system, ms. */
let duration: number;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'hearth-manners-'));
  app = await copyHello(join(dir, 'project'));
  await fwJson(['build', '--app', app, '--out', join(dir, 'reference.fw')]);
  const began = performance.now();
  reference = await fwJson<BuildResult>(['build', '--app', app, '--out', join(dir, 'reference.fw')]);
  duration = performance.now() - began;
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const sha256 = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex');

const chunkPath = (cache: string, key: string): string => new Cache(cache).path('chunks', key);

/** A cache that has these kinds as links to the developer's own, which are never cleaned, and of others a copy. */
function cacheWith(name: string, { shared, copied = [] }: { shared: string[]; copied?: string[] }): string {
  const cache = join(dir, name);
  mkdirSync(cache);
  for (const kind of shared) symlinkSync(join(CACHE, kind), join(cache, kind));
  for (const kind of copied) {
    // By hard links where that is possible: what is removed here keeps its name there.
    if (run('cp', '-al', join(CACHE, kind), cache).status !== 0)
      expect(run('cp', '-r', join(CACHE, kind), cache).output).toBe('');
  }
  return cache;
}

function age(path: string, ms: number): void {
  const then = (Date.now() - ms) / 1000;
  utimesSync(path, then, then);
}

function build(out: string, env: Record<string, string>, project = app): Promise<BuildResult> {
  return fwJson<BuildResult>(['build', '--app', project, '--out', join(dir, out)], { env });
}

/** Another app in the same project: some of what was built before is then never used again. */
function edit(project: string): void {
  writeFileSync(join(project, 'src', 'app.ts'), "import { run } from 'hearthfw';\nrun({ start() {} });\n");
}

test('a build that wrote keeps the cache within its limit: what nobody used goes, what it used stays', async () => {
  const cache = cacheWith('limited', { shared: ['downloads', 'systems', 'files', 'blocks'] });
  const project = await copyHello(join(dir, 'edited'));
  await build('limited.fw', { HEARTH_CACHE: cache }, project);
  const before = (await cacheContents(cache)).entries;
  for (const { path } of before) age(path, 40 * DAY);
  age(join(cache, 'CACHEDIR.TAG'), DAY);

  const unused = chunkPath(cache, 'ab'.repeat(32));
  mkdirSync(dirname(unused), { recursive: true });
  writeFileSync(unused, Buffer.alloc(2_000_000));
  age(unused, DAY);
  const dead = startFw(['--version']);
  await outcome(dead);
  const [ofDead, ofLiving] = [
    `${unused}.part-${dead.pid}-01234567`,
    `${unused}.part-${process.pid}-01234567`,
  ];
  const npmFolder = join(cache, `npm-${dead.pid}-abcdef`);
  mkdirSync(npmFolder);
  for (const path of [ofDead, ofLiving]) writeFileSync(path, 'part');
  for (const path of [ofDead, ofLiving, npmFolder]) age(path, 3 * HOUR);

  edit(project);
  const env = { HEARTH_CACHE: cache, HEARTH_CACHE_LIMIT: '1 MiB' };
  await build('limited.fw', env, project);
  const after = (await cacheContents(cache)).entries.map(({ path }) => path);
  const kept = before.filter(({ path }) => after.includes(path));
  // The kernel's chunks are used by both builds; those that hold the first one's UUID by none any more.
  expect(kept.length).toBeGreaterThan(10);
  expect(kept.length).toBeLessThan(before.length);
  expect([unused, ofDead, npmFolder, ofLiving].filter((path) => existsSync(path))).toEqual([ofLiving]);

  // What stayed is all that the build needs.
  expect((await build('limited.fw', env, project)).cached.files.misses).toBe(0);
});

test('two builds of two projects at once, from a cache with nothing but downloads', async () => {
  const env = { HEARTH_CACHE: cacheWith('both', { shared: ['downloads', 'blocks'] }) };
  const other = await copyHello(join(dir, 'other'));
  edit(other);
  const [first, second] = await Promise.all([build('first.fw', env), build('second.fw', env, other)]);
  expect([first.cached.system, second.cached.system]).toEqual([false, false]);
  expect(sha256(first.path)).toBe(reference.sha256);
  expect(await build('again.fw', env, other)).toMatchObject({
    sha256: second.sha256,
    cached: { system: true, files: { misses: 0 } },
  });
  expect((await cacheContents(env.HEARTH_CACHE)).leftovers).toEqual([]);
});

// One moment a run, because it may cost a system: the seeds of many runs find them all.
test('fw clean --cache under a build that runs costs it time, never the firmware', async () => {
  const random = seededRandom('cache, cleaned under a build');
  const env = {
    HEARTH_CACHE: cacheWith('cleaned', { shared: ['downloads', 'blocks'], copied: ['systems', 'files'] }),
  };
  const building = build('cleaned.fw', env);
  await Promise.race([delay(random() * duration), building]);
  const cleaned = await fwJson<{ bytes: number; failed: unknown[] }>(['clean', '--cache'], { env });
  expect(cleaned.failed).toEqual([]);
  expect(cleaned.bytes).toBeGreaterThan(50e6);
  expect((await building).sha256).toBe(reference.sha256);
});

test('builds that are killed at any moment, by any signal, leave whole entries; only SIGKILL leaves parts', {
  timeout: 300_000,
}, async () => {
  const random = seededRandom('cache, builds killed');
  const cache = cacheWith('killed', { shared: ['downloads', 'systems', 'files', 'blocks'] });
  const env = { HEARTH_CACHE: cache };
  const out = join(dir, 'killed-out');
  mkdirSync(out);
  const args = ['build', '--app', app, '--out', join(out, 'hello.fw')];
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP', 'SIGTERM', 'SIGINT', 'SIGKILL'] as const) {
    rmSync(join(cache, 'chunks'), { recursive: true, force: true });
    const child = startFw(args, { env });
    const ended = outcome(child);
    await Promise.race([delay(random() * duration * 1.5), ended]);
    child.kill(signal);
    const { code, stderr } = await ended;
    expect([null, 0], stderr).toContain(code);
    const { entries, leftovers } = await cacheContents(cache);
    const parts = readdirSync(out).filter((name) => name.includes('.part-'));
    if (signal !== 'SIGKILL') expect([...leftovers, ...parts], signal).toEqual([]);
    for (const { kind, path } of entries) {
      if (kind === 'node' || kind === 'compiled') continue;
      expect(await new Cache(cache).get(kind, basename(path)), path).toBeDefined();
    }
  }
  expect((await fwJson<BuildResult>(args, { env })).sha256).toBe(reference.sha256);
});

describe('a cache that is read-only', () => {
  const possible = run('unshare', '--map-root-user', '--mount', 'true').status === 0;
  const readOnly = (path: string): string[] => [
    ...['unshare', '--map-root-user', '--mount', 'sh', '-c'],
    `mount --bind '${path}' '${path}' && mount -o remount,bind,ro '${path}' && exec "$0" "$@"`,
  ];

  test.skipIf(!possible)('serves what it has, and is named when something is missing', async () => {
    const cache = cacheWith('read-only', { shared: ['downloads', 'systems', 'files', 'blocks'] });
    const env = { HEARTH_CACHE: cache };
    await build('read-only.fw', env);
    for (const { path } of (await cacheContents(cache)).entries) age(path, DAY);
    const within = readOnly(cache);
    const args = ['build', '--app', app, '--out', join(dir, 'read-only.fw')];
    expect((await fwJson<BuildResult>(args, { env, within })).sha256).toBe(reference.sha256);

    rmSync(join(cache, 'chunks'), { recursive: true });
    const { code, stdout } = await fw([...args, '--json'], { env, within });
    expect(code).toBe(1);
    expect(JSON.parse(stdout).error).toMatchObject({
      code: 'not-writable',
      where: expect.stringContaining(join(cache, 'chunks')),
      remedy: expect.stringContaining('HEARTH_CACHE'),
    });
  });
});

describe('fw clean', () => {
  interface Cleaned {
    project: { what: string; path: string; bytes: number }[];
    cache: { kind: string; count: number; bytes: number }[];
    bytes: number;
  }
  const found = ({ project }: Cleaned, folder: string): string[] =>
    project.map(({ what, path }) => `${what}: ${path.slice(folder.length + 1)}`);

  test('removes what builds and runs of the project have left, and nothing else', async () => {
    const project = await copyHello(join(dir, 'clean'));
    await fwJson(['build', '--app', project]);
    const disk = join(project, '.hearth', 'run', 'hello-x86_64');
    mkdirSync(disk, { recursive: true });
    writeFileSync(join(disk, 'disk.img'), Buffer.alloc(1_000_000, 1));
    const firmware = join(project, 'hello-1.0.0-x86_64.fw');
    writeFileSync(join(project, 'hello-0.9.0-rpi3.fw'), readFileSync(firmware));
    const strangers = [
      'hello-1.0.0-x86_64.fw.txt',
      'other-1.0.0-x86_64.fw',
      'hello-1.0.0-toaster.fw',
      // Named as ours, and something else.
      'hello-2.0.0-x86_64.fw',
      'hello-2.0.0-x86_64.fw.map/notes.txt',
      '.hearth/mine',
    ];
    for (const path of strangers) {
      mkdirSync(dirname(join(project, path)), { recursive: true });
      writeFileSync(join(project, path), 'not made by fw');
    }
    const before = readdirSync(project, { recursive: true });
    const expected = [
      'disk: .hearth/run/hello-x86_64',
      'firmware: hello-0.9.0-rpi3.fw',
      'firmware: hello-1.0.0-x86_64.fw',
      'source maps: hello-1.0.0-x86_64.fw.map',
    ];
    const said = await fwJson<Cleaned>(['clean', '--app', project, '--dry-run']);
    expect(found(said, project)).toEqual(expected);
    expect(said.bytes).toBeGreaterThan(2 * statSync(firmware).size);
    expect(readdirSync(project, { recursive: true })).toEqual(before);

    expect(found(await fwJson<Cleaned>(['clean', '--app', project]), project)).toEqual(expected);
    const left = readdirSync(project, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name));
    expect(strangers.filter((path) => !left.includes(join(project, path)))).toEqual([]);
    const gone = /disk\.img|hello-0\.9\.0|hello-1\.0\.0-x86_64\.fw(\.map|$)/;
    expect(left.filter((path) => gone.test(path))).toEqual([]);
    expect((await fw(['clean', '--app', project])).stdout).toBe('nothing to remove\n');
  });

  test('leaves everything alone while a machine runs on one of the disks', async () => {
    const project = await copyHello(join(dir, 'running'));
    const disk = join(project, '.hearth', 'run', 'hello-x86_64');
    mkdirSync(disk, { recursive: true });
    writeFileSync(join(disk, 'disk.img'), 'disk');
    using _machine = await claim(disk, 'a machine');
    const { code, stdout } = await fw(['clean', '--app', project, '--json']);
    expect(code).toBe(1);
    expect(JSON.parse(stdout).error).toMatchObject({
      code: 'already-running',
      remedy: expect.stringContaining(String(process.pid)),
    });
    expect(existsSync(join(disk, 'disk.img'))).toBe(true);
  });

  test('--cache takes all that was not used for so long, and leaves strangers', async () => {
    const cache = join(dir, 'to-clean');
    // fw itself would keep there what Node has compiled of it.
    const env = { HEARTH_CACHE: cache, NODE_DISABLE_COMPILE_CACHE: '1' };
    const [fresh, old] = [chunkPath(cache, 'aa'.repeat(32)), chunkPath(cache, 'bb'.repeat(32))];
    for (const path of [fresh, old, join(cache, 'mine', 'notes.txt')]) {
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(path, Buffer.alloc(1000));
    }
    age(old, 31 * DAY);
    const sum = [{ kind: 'chunks', count: 1, bytes: 1000 }];
    const args = ['clean', '--cache', '--older-than', '30d'];
    expect((await fwJson<Cleaned>([...args, '--dry-run'], { env })).cache).toEqual(sum);
    expect(existsSync(old)).toBe(true);
    expect((await fwJson<Cleaned>(args, { env })).cache).toEqual(sum);
    expect([existsSync(old), existsSync(fresh)]).toEqual([false, true]);
    expect((await fwJson<Cleaned>(['clean', '--cache'], { env })).cache).toEqual(sum);
    expect(readdirSync(cache, { recursive: true })).toEqual(['mine', 'mine/notes.txt']);
  });

  test.each([
    [['--older-than', '30d'], '--cache'],
    [['--cache', '--older-than', '30 years'], 'such as 30d'],
  ])('%j is wrong usage', async (args, remedy) => {
    const { code, stderr } = await fw(['clean', ...args]);
    expect(code).toBe(2);
    expect(stderr).toContain(remedy);
  });
});
