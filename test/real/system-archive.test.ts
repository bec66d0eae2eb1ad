import { execFileSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { zstdCompress } from 'node:zlib';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { systemPackage } from '../../scripts/lock/system-package.ts';
import { Cache } from '../../src/build/cache.ts';
import type { BuildResult } from '../../src/build/firmware.ts';
import { integrityOf, sha256 } from '../../src/build/hash.ts';
import type { SystemArchive } from '../../src/build/lock.ts';
import { sourcesOf } from '../../src/build/sources/index.ts';
import { npmArchive, tarballName } from '../../src/build/sources/system-archive.ts';
import { archiveTar, readArchive } from '../../src/build/system/archive.ts';
import { picksKey, type SystemInputs } from '../../src/build/system/inputs.ts';
import { obtainInputs } from '../../src/build/system/obtain.ts';
import { type LoadedTarget, loadTarget, targetNames } from '../../src/build/targets.ts';
import { run } from './disk-file.ts';
import { CACHE, copyHello, type FwOptions, fw, fwJson } from './fw.ts';
import { PackageServer } from './package-server.ts';

/** The system archive: everything of a system in one file, from wherever it comes, and what happens without a network. */

const REPOSITORY = join(import.meta.dirname, '..', '..');
let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'hearth-archive-'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const quiet = { fetching() {}, unpacking() {} };

/** What Debian and npm deliver, through the developer's own cache. */
const delivered = new Map<string, Promise<SystemInputs>>();
function inputsOf(loaded: LoadedTarget): Promise<SystemInputs> {
  const { archive: _, ...lock } = loaded.lock;
  const { name } = loaded.target;
  const inputs =
    delivered.get(name) ?? obtainInputs({ ...loaded, lock }, new Cache(CACHE), sourcesOf({}), quiet);
  delivered.set(name, inputs);
  return inputs;
}

const contentOf = async (inputs: SystemInputs): Promise<string> => sha256(await archiveTar(inputs));

test.each(targetNames())("the archive in the lock of %s is what the lock's packages make", async (name) => {
  // If this fails: npm run lock -- --archive-only
  const loaded = await loadTarget(name);
  expect(loaded.lock.archive?.content).toBe(await contentOf(await inputsOf(loaded)));
});

describe('a build', () => {
  let toolkit: string;
  let app: string;
  let archive: SystemArchive;
  let inputs: SystemInputs;
  let loaded: LoadedTarget;
  let tarball: Buffer;
  let reference: BuildResult;
  let server: PackageServer;

  beforeAll(async () => {
    loaded = await loadTarget('x86_64');
    inputs = await inputsOf(loaded);
    const tar = await archiveTar(inputs);
    // Level 3 instead of 19 saves a minute, and is another archive of the same files.
    const bytes = await promisify(zstdCompress)(tar);
    const identity = { name: 'hearthfw-system-x86_64', version: '1.2.3' };
    tarball = await systemPackage(identity, loaded, inputs, bytes);
    archive = {
      package: identity.name,
      version: identity.version,
      integrity: integrityOf(tarball),
      published: false,
      size: bytes.length,
      sha256: sha256(bytes),
      content: sha256(tar),
      picks: picksKey(loaded.target, loaded.lock),
    };
    toolkit = copyToolkit('toolkit', archive);
    app = await copyHello(join(dir, 'app'));
    reference = await fwJson<BuildResult>(['build', '--app', app, '--out', join(dir, 'reference.fw')]);
    server = await PackageServer.start();
  });
  afterAll(() => server[Symbol.dispose]());
  beforeEach(() => server.clear());
  afterEach(() => {
    vi.unstubAllEnvs();
  });

  /** This checkout with another archive in its lock. */
  function copyToolkit(name: string, locked: SystemArchive): string {
    const copy = join(dir, name);
    const others = /^(\.|node_modules$|build$|dist$|docs$|test$)|\.fw$|\.img$/;
    for (const part of readdirSync(REPOSITORY).filter((entry) => !others.test(entry)))
      cpSync(join(REPOSITORY, part), join(copy, part), { recursive: true });
    symlinkSync(join(REPOSITORY, 'node_modules'), join(copy, 'node_modules'));
    const lock = { ...loaded.lock, archive: locked };
    writeFileSync(join(copy, 'targets', 'x86_64', 'lock.json'), JSON.stringify(lock));
    return join(copy, 'bin', 'fw.js');
  }

  /** A machine that has no system and has downloaded nothing; what only saves time is shared. */
  function emptyCache(): string {
    const cache = mkdtempSync(join(dir, 'cache-'));
    for (const kind of ['files', 'blocks', 'chunks']) symlinkSync(join(CACHE, kind), join(cache, kind));
    return cache;
  }

  /** All roads of the network lead to the server, which notes what it is asked for. */
  function machine(env: Record<string, string> = {}): FwOptions & { env: Record<string, string> } {
    return {
      door: toolkit,
      env: {
        HEARTH_CACHE: emptyCache(),
        HEARTH_DEBIAN_MIRROR: server.debian,
        npm_config_registry: server.npm,
        npm_config_cache: join(dir, 'npm'),
        npm_config_fetch_retries: '0',
        ...env,
      },
    };
  }

  const args = (more: string[] = []): string[] => {
    const out = join(mkdtempSync(join(dir, 'out-')), 'hello.fw');
    return ['build', '--app', app, '--out', out, ...more];
  };
  const built = (result: BuildResult): unknown => ({ sha256: result.sha256, made: !result.cached.system });
  const same = (): unknown => ({ sha256: reference.sha256, made: true });

  /** The inputs of the system by way of the sources, with the network as `machine` has it. */
  function obtain(
    cache: string,
    options: Parameters<typeof sourcesOf>[1],
    locked = archive,
  ): Promise<SystemInputs> {
    vi.stubEnv('HEARTH_DEBIAN_MIRROR', server.debian);
    vi.stubEnv('npm_config_registry', server.npm);
    vi.stubEnv('npm_config_cache', join(dir, 'npm'));
    vi.stubEnv('HEARTH_CACHE', cache);
    const lock = { ...loaded.lock, archive: locked };
    return obtainInputs({ ...loaded, lock }, new Cache(cache), sourcesOf({}, options), quiet);
  }

  function systemsFolder(bytes: Uint8Array): string {
    const folder = mkdtempSync(join(dir, 'systems-'));
    writeFileSync(join(folder, tarballName(archive)), bytes);
    return folder;
  }

  /** A machine that has no system, but all packages: links to the developer's own. */
  function downloaded(): Cache {
    const cache = new Cache(emptyCache());
    expect(run('cp', '-as', join(CACHE, 'downloads'), join(cache.dir, 'downloads')).output).toBe('');
    return cache;
  }

  // Not even a name can be looked up in there.
  const noNetwork = ['unshare', '--map-root-user', '--net'];
  const within = run(noNetwork[0] ?? '', ...noNetwork.slice(1), 'true').status === 0 ? noNetwork : [];

  test('offline, from the archive in the folder of HEARTH_SYSTEMS: the same bytes, and not one request', async () => {
    const options = { ...machine({ HEARTH_SYSTEMS: systemsFolder(tarball) }), within };
    expect(built(await fwJson(args(['--offline']), options))).toEqual(same());
    expect(server.asked).toEqual([]);
  });

  test('offline, from the archive among the dependencies of the project', async () => {
    const modules = join(app, 'node_modules', archive.package);
    mkdirSync(modules, { recursive: true });
    execFileSync('tar', ['-xzf', '-', '--strip-components=1', '-C', modules], { input: tarball });
    const options = { offline: true, projectDir: app };
    expect(await contentOf(await obtain(emptyCache(), options))).toBe(archive.content);

    writeFileSync(join(modules, 'package.json'), JSON.stringify({ version: '1.2.2' }));
    await expect(obtain(emptyCache(), options)).rejects.toMatchObject({
      code: 'offline',
      message: expect.stringContaining(`${modules} is version 1.2.2; the lock names 1.2.3`),
    });
    rmSync(modules, { recursive: true });
  });

  test("from a registry, by the user's own npm; the second time from the cache", async () => {
    server.publish(archive.package, archive.version, tarball);
    const options = { ...machine(), door: copyToolkit('published', { ...archive, published: true }) };
    expect(built(await fwJson(args(), options))).toEqual(same());
    expect(server.asked.filter((path) => path.endsWith('.tgz'))).toHaveLength(1);
    expect(server.asked.filter((path) => path.endsWith('.deb'))).toEqual([]);

    const again = await obtain(options.env.HEARTH_CACHE ?? '', { offline: true });
    expect(await contentOf(again)).toBe(archive.content);
  });

  test('an archive that the registry has changed is passed over: Debian has what is missing', async () => {
    const forged = Buffer.from(tarball);
    forged.writeUInt8(forged.readUInt8(1_000_000) ^ 1, 1_000_000);
    server.publish(archive.package, archive.version, forged);
    const cache = downloaded();
    const pkg = loaded.lock.packages.find(({ name }) => name === 'libuuid1');
    const path = cache.path('downloads', pkg?.sha256 ?? '');
    rmSync(path);
    server.serveFile(`/debian/${pkg?.path}`, new Cache(CACHE).path('downloads', pkg?.sha256 ?? ''));
    expect(await contentOf(await obtain(cache.dir, {}, { ...archive, published: true }))).toBe(
      archive.content,
    );
    const files = server.asked.map((url) => url.split('/').at(-1) ?? '');
    expect(files.filter((file) => /\.(tgz|deb)$/.test(file))).toEqual([
      tarballName(archive),
      pkg?.path.split('/').at(-1),
    ]);
  });

  test('a registry that does not have the archive is asked once a run', async () => {
    vi.stubEnv('npm_config_registry', server.npm);
    const sources = sourcesOf({});
    const cache = new Cache(emptyCache());
    const first = await npmArchive(archive, cache, sources);
    expect(first).toEqual({
      reasons: [expect.stringMatching(/^npm could not fetch .*@1\.2\.3: E404: 404 Not Found/)],
    });
    const asked = server.asked.length;
    expect(await npmArchive(archive, cache, sources)).toEqual(first);
    expect([asked > 0, server.asked.length]).toEqual([true, asked]);
  });

  test('no registry is asked for an archive that is not published; the final error has all reasons', async () => {
    const { code, stdout } = await fw(
      [...args(), '--json'],
      machine({ HEARTH_SYSTEMS: systemsFolder(Buffer.from('no tarball')) }),
    );
    expect(code).toBe(1);
    const { error } = JSON.parse(stdout);
    expect(error).toMatchObject({ code: 'package-unavailable', message: expect.stringContaining('404') });
    expect(error.message).toContain('The system archive could not be used either:');
    expect(error.message).toContain(`${tarballName(archive)}: incorrect header check`);
    expect(server.asked.filter((path) => path.startsWith('/npm'))).toEqual([]);
    expect(server.asked).not.toEqual([]);
  });

  test('B7: offline with nothing: all that is missing, its sizes, the remedy, and not one request', async () => {
    for (const [more, env] of [
      [['--offline'], {}],
      [[], { HEARTH_OFFLINE: '1' }],
    ] as const) {
      const { code, stdout } = await fw([...args([...more]), '--json'], machine(env));
      expect(code).toBe(1);
      const { error } = JSON.parse(stdout);
      expect(error.code).toBe('offline');
      const { packages, node } = loaded.lock;
      for (const { name, version, size } of [...packages, { ...node, name: node.package }])
        expect(error.message).toContain(`${name} ${version}  ${(size / 1e6).toFixed(1)} MB`);
      expect(error.remedy).toContain(tarballName(archive));
      expect(error.remedy).toContain('HEARTH_SYSTEMS');
    }
    expect(server.asked).toEqual([]);
  });

  test('B7: nor does the door fetch a Node, where the one that runs it will not do', async () => {
    const door = copyToolkit('older', archive);
    const pins = join(door, '..', 'node.json');
    writeFileSync(pins, readFileSync(pins, 'utf8').replace(/"(version|zstd)": "/g, '$&9'));
    const { code, stderr } = await fw(args(['--offline']), { ...machine(), door });
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(/^fw: Node 9\S+, which .* is not on this machine/),
    ]);
    expect(server.asked).toEqual([]);
  });

  test('B7: fw run --offline is as strict', async () => {
    const { code, stderr } = await fw(['run', '--app', app, '--offline'], machine());
    expect([code, stderr]).toEqual([1, expect.stringContaining('(offline)')]);
    expect(server.asked).toEqual([]);
  });

  test('A1: an archive that is not the locked one is not unpacked, and is named', async () => {
    const other = await systemPackage(
      { name: archive.package, version: archive.version },
      loaded,
      inputs,
      await promisify(zstdCompress)(Buffer.from('another tar')),
    );
    const options = machine({ HEARTH_SYSTEMS: systemsFolder(other) });
    const { code, stdout } = await fw([...args(['--offline']), '--json'], options);
    expect([code, JSON.parse(stdout).error.code]).toEqual([1, 'offline']);
    expect(JSON.parse(stdout).error.message).toContain(`${tarballName(archive)}: this is not the archive`);
  });

  test('B7: offline, a package that is damaged in the cache is named', async () => {
    const cache = downloaded();
    const [kernel] = loaded.lock.packages;
    const path = cache.path('downloads', kernel?.sha256 ?? '');
    rmSync(path);
    writeFileSync(path, Buffer.alloc(kernel?.size ?? 0));
    await expect(obtain(cache.dir, { offline: true })).rejects.toMatchObject({
      code: 'offline',
      message: expect.stringContaining(`${kernel?.name} ${kernel?.version}`),
    });
    expect(server.asked).toEqual([]);
  });

  test("other tools read the archive: tar lists every file with its mode, and npm's package has every licence", async () => {
    const folder = mkdtempSync(join(dir, 'tools-'));
    execFileSync('tar', ['-xzf', '-', '-C', folder], { input: tarball });
    expect(readdirSync(join(folder, 'package')).sort()).toEqual([
      'LICENSES.txt',
      'README.md',
      'package.json',
      'system.tar.zst',
    ]);
    const licences = readFileSync(join(folder, 'package', 'LICENSES.txt'), 'utf8');
    for (const { name } of loaded.lock.packages.filter((pkg) => inputs.get(pkg.name)?.some(isLicence)))
      expect(licences).toContain(`${name}: usr/share/doc/`);

    const list = execFileSync('tar', ['--zstd', '-tvf', join(folder, 'package', 'system.tar.zst')], {
      encoding: 'utf8',
      maxBuffer: 2 ** 24,
    });
    const listed = list
      .trimEnd()
      .split('\n')
      .map((line) => line.replace(/^(\S+) (\S+) +(\d+) \S+ \S+ /, '$1 $2 $3 '));
    const expected = [...inputs].flatMap(([name, files]) =>
      files.map((file) =>
        file.type === 'symlink'
          ? `lrwxrwxrwx 0/0 0 ${name}/${file.path} -> ${file.target}`
          : `${permissions(file.mode)} 0/0 ${file.bytes.length} ${name}/${file.path}`,
      ),
    );
    expect(listed.sort()).toEqual(expected.sort());
    // And what we read is what was picked.
    const read = await readArchive(readFileSync(join(folder, 'package', 'system.tar.zst')));
    expect(sha256(await archiveTar(read))).toBe(archive.content);
  });
});

function isLicence(file: { path: string; type: string }): boolean {
  return file.type === 'file' && file.path.endsWith('/copyright');
}

/** As ls writes a regular file's. */
function permissions(mode: number): string {
  const letters = [...'rwxrwxrwx'].map((letter, bit) => (mode & (0o400 >> bit) ? letter : '-'));
  return `-${letters.join('')}`;
}
