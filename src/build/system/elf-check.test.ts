import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { DirNode } from '../../formats/tree.ts';
import { directory, file, insert, symlink } from '../tree.ts';
import { checkElfFiles } from './elf-check.ts';

// Real programs of both machines, by the compilers that scripts/setup installs.
let dir: string;
let program: Buffer;
let forArm: Buffer;
let library: Buffer;
let musl: Buffer;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'hearth-elf-'));
  writeFileSync(join(dir, 'main.c'), 'int sensor(void);\nint main(void) { return sensor(); }\n');
  writeFileSync(join(dir, 'sensor.c'), 'int sensor(void) { return 0; }\n');
  const run = (cc: string, ...args: string[]): void => {
    execFileSync(cc, args, { cwd: dir });
  };
  const cc = process.arch === 'x64' ? 'gcc' : 'x86_64-linux-gnu-gcc';
  const arm = process.arch === 'arm64' ? 'gcc' : 'aarch64-linux-gnu-gcc';
  run(cc, '-shared', '-fPIC', '-Wl,-soname,libsensor.so.1', '-o', 'libsensor.so.1', 'sensor.c');
  run(cc, '-o', 'program', 'main.c', './libsensor.so.1');
  run(cc, '-o', 'musl', 'main.c', './libsensor.so.1', '-Wl,--dynamic-linker,/lib/ld-musl-x86_64.so.1');
  run(arm, '-shared', '-fPIC', '-nostdlib', '-o', 'arm.so', 'sensor.c');
  const read = (name: string): Buffer => readFileSync(join(dir, name));
  [program, library, musl, forArm] = [read('program'), read('libsensor.so.1'), read('musl'), read('arm.so')];
});
afterAll(() => rmSync(dir, { recursive: true }));

const LIB = 'usr/lib/x86_64-linux-gnu';
let root: DirNode;
beforeEach(() => {
  root = directory();
  insert(root, `${LIB}/libc.so.6`, file('libc'));
  insert(root, `${LIB}/ld-linux-x86-64.so.2`, file('loader'));
  insert(root, 'usr/lib64/ld-linux-x86-64.so.2', symlink('../lib/x86_64-linux-gnu/ld-linux-x86-64.so.2'));
  insert(root, `${LIB}/libsensor.so.1`, file(library));
  insert(root, 'usr/bin/program', file(program, 0o755));
});

test('a root that has everything is fine; what is no ELF file is not looked at', async () => {
  insert(root, 'etc/short', file('\x7fEL'));
  insert(root, 'etc/text', file('no program'));
  await checkElfFiles(root, 'x86_64');
});

test('a library may be a link to its file', async () => {
  insert(root, `${LIB}/libsensor.so.1`, symlink('libsensor.so.1.0.0'));
  insert(root, `${LIB}/libsensor.so.1.0.0`, file(library));
  await checkElfFiles(root, 'x86_64');
  insert(root, `${LIB}/libsensor.so.1`, symlink('/lib/x86_64-linux-gnu/libsensor.so.1.0.0'));
  await checkElfFiles(root, 'x86_64');
});

describe('B3: what cannot be loaded on the device fails the build by name', () => {
  test('a file for another machine', async () => {
    insert(root, 'srv/app/binding.node', file(forArm));
    await expect(checkElfFiles(root, 'x86_64')).rejects.toMatchObject({
      code: 'elf-wrong-arch',
      where: 'srv/app/binding.node',
      message: 'srv/app/binding.node is for aarch64, not for x86_64',
    });
  });

  test('all of it, for another target', async () => {
    await expect(checkElfFiles(root, 'aarch64')).rejects.toMatchObject({ code: 'elf-wrong-arch' });
  });

  const missing: [name: string, change: (root: DirNode) => void][] = [
    ['that is not there', (at) => folder(at, LIB).delete('libsensor.so.1')],
    [
      'that is a link into nothing',
      (at) => insert(at, `${LIB}/libsensor.so.1`, symlink('libsensor.so.1.0.0')),
    ],
    ['that is a link to itself', (at) => insert(at, `${LIB}/libsensor.so.1`, symlink('libsensor.so.1'))],
    [
      'that is where no loader looks',
      (at) => {
        folder(at, LIB).delete('libsensor.so.1');
        insert(at, 'srv/app/libsensor.so.1', file(library));
      },
    ],
  ];
  test.each(missing)('a library %s', async (_name, change) => {
    change(root);
    await expect(checkElfFiles(root, 'x86_64')).rejects.toMatchObject({
      code: 'library-missing',
      where: 'usr/bin/program',
      message: 'usr/bin/program needs libsensor.so.1, which the firmware does not have',
    });
  });

  test('the loader of another C library', async () => {
    insert(root, 'usr/bin/program', file(musl, 0o755));
    await expect(checkElfFiles(root, 'x86_64')).rejects.toMatchObject({
      code: 'library-missing',
      message: 'usr/bin/program needs the dynamic loader /lib/ld-musl-x86_64.so.1',
      remedy: expect.stringContaining('glibc'),
    });
  });

  test('a loader that is a link into nothing', async () => {
    folder(root, LIB).delete('ld-linux-x86-64.so.2');
    await expect(checkElfFiles(root, 'x86_64')).rejects.toThrow(
      'the dynamic loader /lib64/ld-linux-x86-64.so.2',
    );
  });
});

function folder(at: DirNode, path: string): DirNode['entries'] {
  return path.split('/').reduce((entries, name) => {
    const node = entries.get(name);
    if (node?.type !== 'dir') throw new Error(`no folder ${path}`);
    return node.entries;
  }, at.entries);
}
