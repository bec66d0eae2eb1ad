import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { addresses, mirrors } from './mirrors.ts';

const DEB822 = `
# The mirror of the house; http://commented.example/debian is not used any more.
Types: deb deb-src
URIs: http://one.example/debian/ https://two.example/pub/debian
Suites: trixie trixie-updates
Components: main non-free-firmware
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb
URIs: http://one.example/debian-security
Suites: trixie-security
Components: main

Enabled: no
Types: deb
URIs: http://off.example/debian
Suites: trixie
Components: main
`;

const ONE_LINE = `
# deb http://commented.example/debian trixie main
deb [arch=amd64 signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://one.example/debian/ trixie main # http://comment.example/debian
deb-src http://one.example/debian trixie main
deb http://one.example/debian-security trixie-security main
deb http://other.example/ubuntu noble main
deb cdrom:[Debian]/ trixie main
`;

describe('addresses', () => {
  test('of deb822 style: several a stanza, comments and disabled stanzas left out', () => {
    expect(addresses(DEB822, 'debian')).toEqual([
      'http://one.example/debian',
      'https://two.example/pub/debian',
    ]);
    expect(addresses(DEB822, 'debian-security')).toEqual(['http://one.example/debian-security']);
  });

  test('of one-line style: with options, comments left out', () => {
    expect(addresses(ONE_LINE, 'debian')).toEqual(['http://one.example/debian', 'http://one.example/debian']);
    expect(addresses(ONE_LINE, 'debian-security')).toEqual(['http://one.example/debian-security']);
  });
});

describe('mirrors', () => {
  let apt: string;
  beforeEach(() => {
    apt = mkdtempSync(join(tmpdir(), 'hearth-apt-'));
    mkdirSync(join(apt, 'sources.list.d'));
  });
  afterEach(() => rmSync(apt, { recursive: true }));

  test('are those of the machine, each once, its folder before its file', () => {
    writeFileSync(join(apt, 'sources.list.d', 'debian.sources'), DEB822);
    writeFileSync(
      join(apt, 'sources.list.d', 'old.list.disabled'),
      'deb http://disabled.example/debian trixie main',
    );
    writeFileSync(join(apt, 'sources.list'), `${ONE_LINE}\ndeb http://last.example/debian trixie main\n`);
    expect(mirrors('debian', {}, apt)).toEqual([
      'http://one.example/debian',
      'https://two.example/pub/debian',
      'http://last.example/debian',
    ]);
  });

  test('are those of HEARTH_DEBIAN_MIRROR alone, where it is set', () => {
    writeFileSync(join(apt, 'sources.list'), ONE_LINE);
    const env = { HEARTH_DEBIAN_MIRROR: 'http://a.example/debian/, http://b.example/x' };
    expect(mirrors('debian', env, apt)).toEqual(['http://a.example/debian', 'http://b.example/x']);
    expect(mirrors('debian-security', env, apt)).toEqual([
      'http://a.example/debian-security',
      'http://b.example/x',
    ]);
  });

  test('of a minimal apt, which names the main archive alone, have their security archive beside it', () => {
    writeFileSync(join(apt, 'sources.list'), 'deb http://one.example/debian bookworm main\n');
    expect(mirrors('debian-security', {}, apt)).toEqual(['http://one.example/debian-security']);
  });

  test('of a dated snapshot have their security archive under the same date', () => {
    const env = { HEARTH_DEBIAN_MIRROR: 'http://s.example/archive/debian/20261101T000000Z/' };
    expect(mirrors('debian', env, apt)).toEqual(['http://s.example/archive/debian/20261101T000000Z']);
    expect(mirrors('debian-security', env, apt)).toEqual([
      'http://s.example/archive/debian-security/20261101T000000Z',
    ]);
  });

  test.each([
    ['no apt at all', '/nowhere'],
    ['apt sources without a Debian mirror', undefined],
  ])('%s: an error that says which variable to set', (_name, folder) => {
    writeFileSync(join(apt, 'sources.list'), 'deb http://other.example/ubuntu noble main\n');
    expect(() => mirrors('debian', {}, folder ?? apt)).toThrow(
      expect.objectContaining({ code: 'no-mirror', remedy: expect.stringContaining('HEARTH_DEBIAN_MIRROR') }),
    );
  });
});
