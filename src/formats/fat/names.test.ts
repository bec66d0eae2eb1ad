import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  foldName,
  LongNameCollector,
  longEntries,
  nameProblem,
  shortNameChecksum,
  shortNames,
} from './names.ts';

const rawOf = (names: string[]) => names.map((name) => shortNames(names).get(name)?.raw);

describe('short names', () => {
  test('an upper-case 8.3 name needs no long one, another case keeps its letters', () => {
    expect(shortNames(['BOOTX64.EFI']).get('BOOTX64.EFI')).toEqual({ raw: 'BOOTX64 EFI', needsLong: false });
    expect(shortNames(['bootcode.bin']).get('bootcode.bin')).toEqual({ raw: 'BOOTCODEBIN', needsLong: true });
    expect(rawOf(['slot-a.efi', 'EFI'])).toEqual(['SLOT-A  EFI', 'EFI        ']);
  });

  test('other names get a numeric tail that is free', () => {
    const names = ['loader.conf', 'loader.configuration', 'LOADER~2.CON', '.hidden', 'a b', 'ü.txt'];
    expect(rawOf(names)).toEqual([
      'LOADER~1CON',
      'LOADER~3CON',
      'LOADER~2CON',
      'HIDDEN~1   ',
      'AB~1       ',
      '_~1     TXT',
    ]);
  });

  test('are unique for thousands of names that begin alike', () => {
    const names = Array.from({ length: 20_000 }, (_, index) => `kernel module ${index}.ko.xz`);
    const raws = [...shortNames(names).values()].map(({ raw }) => raw);
    expect(new Set(raws).size).toBe(20_000);
    expect(raws.every((raw) => raw.length === 11)).toBe(true);
  });
});

describe('long names', () => {
  const name = fc
    .string({ unit: 'grapheme', minLength: 1, maxLength: 120 })
    .filter((text) => nameProblem(text) === undefined);

  test('come back from their entries', () => {
    fc.assert(
      fc.property(name, (text) => {
        const short = Buffer.from('SHORT   TXT');
        const collector = new LongNameCollector();
        for (const entry of longEntries(text, shortNameChecksum(short))) collector.add(entry);
        expect(collector.take(short)).toBe(text);
      }),
      { numRuns: 200 },
    );
  });

  test('are dropped when they belong to another short name, or a part is missing', () => {
    const short = Buffer.from('SHORT   TXT');
    const entries = longEntries('a name of more than two entries.text', shortNameChecksum(short));
    const take = (parts: Uint8Array[], owner: Uint8Array) => {
      const collector = new LongNameCollector();
      for (const entry of parts) collector.add(entry);
      return collector.take(owner);
    };
    expect(take(entries, short)).toBe('a name of more than two entries.text');
    expect(take(entries, Buffer.from('OTHER   TXT'))).toBeUndefined();
    expect(take(entries.slice(0, -1), short)).toBeUndefined();
    expect(take(entries.slice(1), short)).toBeUndefined();
  });
});

test('names that FAT cannot hold are explained', () => {
  expect(nameProblem('a:b')).toMatch(/":"/);
  expect(nameProblem('a\nb')).toMatch(/forbids/);
  expect(nameProblem('dot.')).toMatch(/drops/);
  expect(nameProblem('..')).toMatch(/not a file name/);
  expect(nameProblem('x'.repeat(258))).toMatch(/3 UTF-16 units too long/);
  expect(nameProblem('half \ud800')).toMatch(/surrogate/);
  expect(nameProblem('x'.repeat(255))).toBeUndefined();
});

test('folding keeps the length: ß is not SS', () => {
  expect(foldName('Straße.txt')).toBe('STRAßE.TXT');
  expect(foldName('ÉTÉ')).toBe(foldName('été'));
});
