import { describe, expect, test } from 'vitest';
import { copyrightLicences, licenceExpression } from './copyright.ts';
import { isSpdxExpression, isSpdxId } from './spdx.ts';

describe("Debian's short names become SPDX", () => {
  test.each([
    ['GPL-2', 'GPL-2.0-only'],
    ['GPL-2+', 'GPL-2.0-or-later'],
    ['LGPL-2.1+', 'LGPL-2.1-or-later'],
    ['GPL-3.0+', 'GPL-3.0-or-later'],
    ['Expat', 'MIT'],
    ['BSD-3-clause', 'BSD-3-Clause'],
    ['Apache-2', 'Apache-2.0'],
    ['CC0', 'CC0-1.0'],
    ['Perl', '(Artistic-1.0-Perl OR GPL-1.0-or-later)'],
    ['GPL-2 or Expat', 'GPL-2.0-only OR MIT'],
    ['GPL-2 and ISC or Zlib', 'GPL-2.0-only AND ISC OR Zlib'],
    ['GPL-2+ or Expat, and ISC', '(GPL-2.0-or-later OR MIT) AND ISC'],
    ['GPL-2 with Linux-syscall-note exception', 'GPL-2.0-only WITH Linux-syscall-note'],
  ])('%s is %s', (name, expected) => {
    expect(licenceExpression(name)).toBe(expected);
    expect(isSpdxExpression(expected)).toBe(true);
  });

  test.each([
    // No version said, none guessed; a variant is not the licence; an exception that SPDX does not have is part of the name.
    ['GPL', 'LicenseRef-GPL'],
    ['GPL-9', 'LicenseRef-GPL-9'],
    ['BSD-3-clause-Intel', 'LicenseRef-BSD-3-clause-Intel'],
    ['public-domain', 'LicenseRef-public-domain'],
    ['GPL-2+ with Texinfo exception', 'LicenseRef-GPL-2-or-later-with-Texinfo-exception'],
    ['LGPL-2.1+-with-link-exception', 'LicenseRef-LGPL-2.1-or-later-with-link-exception'],
    ['???', 'LicenseRef-unnamed'],
  ])('%s, which SPDX has no name for, keeps its own: %s', (name, expected) => {
    expect(licenceExpression(name)).toBe(expected);
    expect(isSpdxExpression(expected)).toBe(true);
  });
});

const FORMAT = 'Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/';

describe('a copyright file', () => {
  test('declares the licences of its files, each once; texts that stand alone declare none', () => {
    const text = `${FORMAT}
Upstream-Name: thing
License: Zlib

Files: *
Copyright: 2020 Somebody
License: GPL-2+ and ISC
 The first line is the name;
 License: this is text.

Files: a/*
Copyright: x
License: ISC

Files: b/*
License:
 no name at all

License: Apache-2.0
 Nothing is under this one.
`;
    expect(copyrightLicences(text)).toEqual(['GPL-2.0-or-later', 'ISC', 'Zlib']);
  });

  test('of another kind is for people', () => {
    expect(
      copyrightLicences('This package was debianized by …\n\nLicense:\n\n  GPL version 2\n'),
    ).toBeUndefined();
    expect(copyrightLicences('')).toBeUndefined();
    expect(copyrightLicences('License: MIT\n')).toBeUndefined();
  });
});

test('an npm licence is known, or handed on as it is', () => {
  for (const good of [
    'MIT',
    '(MIT OR Apache-2.0)',
    'Apache-2.0 WITH LLVM-exception',
    '(MIT AND (ISC OR 0BSD))',
  ])
    expect(isSpdxExpression(good), good).toBe(true);
  for (const bad of [
    '',
    'mit',
    'SEE LICENSE IN x',
    'UNLICENSED',
    '(MIT',
    'MIT)',
    'MIT OR',
    'MIT ISC',
    'MIT WITH x',
  ])
    expect(isSpdxExpression(bad), bad).toBe(false);
  expect([isSpdxId('MIT'), isSpdxId('MIT OR ISC')]).toEqual([true, false]);
});
