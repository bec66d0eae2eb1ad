import { expect, test } from 'vitest';
import type { Lock } from '../lock.ts';
import { loadTarget, targetNames } from '../targets.ts';
import { directory, file, insert, symlink } from '../tree.ts';
import { DEBIAN_SUITE, debianPackages } from './debian.ts';

const FORMAT = 'Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/';
const sha256 = 'ab'.repeat(32);

function lockOf(...paths: [name: string, path: string][]): Lock {
  const packages = paths.map(([name, path]) => ({
    name,
    version: '1-2',
    archive: 'debian' as const,
    path,
    size: 1,
    sha256,
  }));
  return {
    target: 'x',
    date: '2026-11-18T22:17:43.000Z',
    kernel: '6',
    node: { package: 'n', version: '1', integrity: '', size: 1 },
    packages,
  };
}

const lock = lockOf(
  ['linux-image-6', 'pool/updates/main/l/linux-signed-amd64/linux-image-6_1-2_amd64.deb'],
  ['libgcc-s1', 'pool/main/g/gcc-14/libgcc-s1_1-2_amd64.deb'],
  ['libx', 'pool/main/libx/libxsource/libx_1-2_all.deb'],
);

test('each package has the licences of its copyright file, also through the link of its folder', async () => {
  const root = directory();
  insert(root, 'usr/share/doc/linux/copyright', file(`${FORMAT}\n\nFiles: *\nLicense: GPL-2\n`));
  insert(root, 'usr/share/doc/libgcc-s1', symlink('gcc-base'));
  insert(root, 'usr/share/doc/gcc-base/copyright', file('for people'));
  insert(root, 'usr/share/doc/libx/copyright', file(`${FORMAT}\n\nFiles: *\nLicense: Expat\n`));
  const common = { version: '1-2', sha256 };
  expect(await debianPackages(lock, root)).toEqual([
    {
      ...common,
      name: 'linux-image-6',
      architecture: 'amd64',
      source: 'linux-signed-amd64',
      licences: ['GPL-2.0-only'],
      licenceFile: '/usr/share/doc/linux/copyright',
    },
    {
      ...common,
      name: 'libgcc-s1',
      architecture: 'amd64',
      source: 'gcc-14',
      licenceFile: '/usr/share/doc/gcc-base/copyright',
    },
    {
      ...common,
      name: 'libx',
      architecture: 'all',
      source: 'libxsource',
      licences: ['MIT'],
      licenceFile: '/usr/share/doc/libx/copyright',
    },
  ]);
});

test('a package without one is named', async () => {
  const root = directory();
  insert(root, 'usr/share/doc/linux/copyright', file('x'));
  insert(root, 'usr/share/doc/libgcc-s1', symlink('gcc-base'));
  await expect(debianPackages(lock, root)).rejects.toMatchObject({
    code: 'copyright-missing',
    where: '/usr/share/doc/libgcc-s1/copyright',
  });
});

test('the release is the one of the locks', async () => {
  const debian = { trixie: 13 }[DEBIAN_SUITE];
  for (const name of targetNames()) {
    const { lock: real } = await loadTarget(name);
    expect(real.kernel).toContain(`+deb${debian}`);
  }
});
