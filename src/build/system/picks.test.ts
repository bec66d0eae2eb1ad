import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sha256 } from '../hash.ts';
import type { LockedPackage } from '../lock.ts';
import { directory, walk } from '../tree.ts';
import { matcher, pickFiles, place } from './picks.ts';

describe('a pattern', () => {
  test.each([
    ['usr/bin/busybox', ['usr/bin/busybox'], ['usr/bin/busybox2', 'xusr/bin/busybox', 'usr/bin/']],
    ['usr/lib64/', ['usr/lib64/a', 'usr/lib64/b/c'], ['usr/lib64', 'usr/lib6/a']],
    [
      'usr/lib/libz.so.1*',
      ['usr/lib/libz.so.1', 'usr/lib/libz.so.1.3.1'],
      ['usr/lib/libz.so.2', 'usr/lib/libz.so.1/x'],
    ],
    ['usr/*/libz*.so', ['usr/lib/libz.so', 'usr/x/libzz.so'], ['usr/a/b/libz.so', 'usr/lib/libz_so']],
    ['usr/lib/libstdc++.so.6', ['usr/lib/libstdc++.so.6'], ['usr/lib/libstdcc.so.6']],
  ])('%s', (pattern, yes, no) => {
    const matches = matcher(pattern);
    expect(yes.filter((path) => !matches(path))).toEqual([]);
    expect(no.filter(matches)).toEqual([]);
  });
});

// A package as Debian's own program makes it.
let dir: string;
/** By hash. */
let packages: Map<string, Buffer>;
let locked: LockedPackage;
const control = (name: string): string =>
  `Package: ${name}\nVersion: 1.0-1\nArchitecture: all\nMaintainer: none <none@example.org>\nDescription: toy\n`;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'hearth-picks-'));
  const tree = join(dir, 'tree');
  const write = (path: string, text: string, mode: number): void => {
    mkdirSync(dirname(join(tree, path)), { recursive: true });
    writeFileSync(join(tree, path), text);
    chmodSync(join(tree, path), mode);
  };
  write('DEBIAN/control', control('toy'), 0o644);
  write('usr/bin/toy', 'a program', 0o755);
  write('usr/bin/other', 'another', 0o755);
  write('usr/bin/powerful', 'setuid', 0o4755);
  write('usr/lib/libtoy.so.1.2', 'a library', 0o644);
  write('usr/share/doc/toy/copyright', 'free', 0o644);
  write('etc/toy.conf', 'secret', 0o600);
  symlinkSync('libtoy.so.1.2', join(tree, 'usr/lib/libtoy.so.1'));
  linkSync(join(tree, 'usr/bin/toy'), join(tree, 'usr/bin/toy-too'));
  packages = new Map();
  locked = locking('toy', tree);
});
afterAll(() => rmSync(dir, { recursive: true }));

/** The package of a tree, as its lock has it, and its bytes where the fetcher finds them. */
function locking(name: string, tree: string): LockedPackage {
  const deb = join(dir, `${name}.deb`);
  execFileSync('dpkg-deb', ['--root-owner-group', '--build', tree, deb], { stdio: 'ignore' });
  const bytes = readFileSync(deb);
  const hash = sha256(bytes);
  packages.set(hash, bytes);
  const path = `pool/${name}_1.0-1_all.deb`;
  return { name, version: '1.0-1', archive: 'debian', path, size: bytes.length, sha256: hash };
}

async function pick(files: string[], pkg = locked): Promise<string[]> {
  const root = directory();
  const fetch = async (each: LockedPackage): Promise<Buffer> => packages.get(each.sha256) ?? Buffer.alloc(0);
  place(root, await pickFiles({ name: 'toy', files }, pkg, fetch));
  return [...walk(root)].flatMap(([path, node]) => {
    if (node.type === 'dir') return [];
    const what = node.type === 'symlink' ? node.target : node.type;
    return [`${path} ${what} ${node.mode.toString(8)} ${node.uid}:${node.gid}`];
  });
}

describe('of a package', () => {
  test('only what was picked is taken, with its mode, and the licence', async () => {
    expect(await pick(['usr/bin/toy', 'usr/lib/libtoy.so.1*', 'etc/'])).toEqual([
      'etc/toy.conf file 600 0:0',
      'usr/bin/toy file 755 0:0',
      'usr/lib/libtoy.so.1 libtoy.so.1.2 777 0:0',
      'usr/lib/libtoy.so.1.2 file 644 0:0',
      'usr/share/doc/toy/copyright file 644 0:0',
    ]);
  });

  test('a licence that is a link to another package is taken as that link', async () => {
    const tree = join(dir, 'sharing');
    mkdirSync(join(tree, 'DEBIAN'), { recursive: true });
    mkdirSync(join(tree, 'usr/share/doc'), { recursive: true });
    writeFileSync(join(tree, 'DEBIAN/control'), control('toy-data'));
    symlinkSync('toy', join(tree, 'usr/share/doc/toy-data'));
    const pkg = locking('toy-data', tree);
    expect(await pick([], pkg)).toEqual(['usr/share/doc/toy-data toy 777 0:0']);
  });

  test('nothing becomes setuid', async () => {
    expect(await pick(['usr/bin/powerful'])).toContain('usr/bin/powerful file 755 0:0');
  });

  test('a hard link is a file of its own', async () => {
    expect(await pick(['usr/bin/toy', 'usr/bin/toy-too'])).toContain('usr/bin/toy-too file 755 0:0');
  });

  test('a hard link without its file is an error that names both', async () => {
    // Which of the two names is the link is tar's choice.
    const results = await Promise.allSettled([pick(['usr/bin/toy']), pick(['usr/bin/toy-too'])]);
    const failures = results.filter((result) => result.status === 'rejected');
    expect(failures).toHaveLength(1);
    expect(failures[0]?.reason).toMatchObject({
      code: 'hard-link-unpicked',
      message: expect.stringMatching(/usr\/bin\/toy(-too)? is a hard link to usr\/bin\/toy/),
    });
  });

  test('a pattern that matches nothing is an error: the file has moved', async () => {
    await expect(pick(['usr/bin/toy', 'usr/sbin/toy'])).rejects.toMatchObject({
      code: 'file-not-in-package',
      message: 'toy 1.0-1 has no usr/sbin/toy',
      where: locked.path,
    });
  });

  test('another one than the lock says is refused, be its hash as locked', async () => {
    await expect(pick(['usr/bin/toy'], { ...locked, version: '1.0-2' })).rejects.toMatchObject({
      code: 'package-mixed-up',
      message: `${locked.path} holds toy 1.0-1`,
      expected: 'toy 1.0-2',
    });
  });
});
