import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { zstdCompress } from 'node:zlib';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { systemPackage } from '../../../scripts/lock/system-package.ts';
import { Cache } from '../cache.ts';
import { integrityOf, sha256 } from '../hash.ts';
import type { SystemArchive } from '../lock.ts';
import { sourcesOf } from '../sources/index.ts';
import { tarballName } from '../sources/system-archive.ts';
import { archiveTar } from '../system/archive.ts';
import { picksKey, type SystemInputs } from '../system/inputs.ts';
import { type LoadedTarget, loadTarget } from '../targets.ts';
import { obtainNode } from './node.ts';

let dir: string;
let loaded: LoadedTarget;
let archive: SystemArchive;
beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'hearth-release-node-'));
  const real = await loadTarget('x86_64');
  const { node } = real.lock;
  const inputs: SystemInputs = new Map([
    ['busybox-static', [{ path: 'usr/bin/busybox', type: 'file', mode: 0o755, bytes: Buffer.from('b') }]],
    [
      node.package,
      [
        { path: 'usr/bin/node', type: 'file', mode: 0o755, bytes: Buffer.from('the program') },
        { path: 'usr/share/doc/nodejs/copyright', type: 'file', mode: 0o644, bytes: Buffer.from('MIT') },
      ],
    ],
  ]);
  const tar = await archiveTar(inputs);
  const bytes = await promisify(zstdCompress)(tar);
  const identity = { name: 'hearthfw-system-x86_64', version: '1.2.3' };
  const tarball = await systemPackage(identity, real, inputs, bytes);
  archive = {
    package: identity.name,
    version: identity.version,
    integrity: integrityOf(tarball),
    published: false,
    size: bytes.length,
    sha256: sha256(bytes),
    content: sha256(tar),
    picks: picksKey(real.target, real.lock),
  };
  loaded = { ...real, lock: { ...real.lock, archive } };
  writeFileSync(join(dir, tarballName(archive)), tarball);
});
afterEach(() => rmSync(dir, { recursive: true }));

function obtain(systemsFolder: string, from = loaded) {
  const sources = sourcesOf({ HEARTH_SYSTEMS: systemsFolder }, { offline: true });
  return obtainNode(from, new Cache(join(dir, 'cache')), sources, () => {});
}

test('offline, Node comes out of a system archive, as in a build', async () => {
  const { program, licence } = await obtain(dir);
  expect(program.mode).toBe(0o755);
  expect(Buffer.from(await program.content.read()).toString()).toBe('the program');
  expect(Buffer.from(await licence.content.read()).toString()).toBe('MIT');
});

test('an archive that was made for another Node is not used, and every place that was looked at is told', async () => {
  const other = { ...loaded, lock: { ...loaded.lock, archive: { ...archive, picks: 'another' } } };
  await expect(obtain(dir, other)).rejects.toMatchObject({
    code: 'node-unavailable',
    message: expect.stringContaining('was made for another list of files'),
  });
  await expect(obtain(join(dir, 'none'))).rejects.toMatchObject({
    code: 'node-unavailable',
    message: expect.stringContaining(`there is no ${join(dir, 'none', tarballName(archive))}`),
    remedy: expect.stringContaining(`${tarballName(archive)} (`),
  });
});
