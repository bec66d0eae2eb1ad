import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { FormatError, FwError } from '../errors.ts';
import { peChecksum, readPe } from './pe.ts';
import { readUki, type UkiSection, writeUki } from './uki.ts';

const utf8 = (text: string) => new TextEncoder().encode(text);
const pattern = (length: number) => Uint8Array.from({ length }, (_, i) => (i * 7) % 251);
const SECTIONS: UkiSection[] = [
  { name: '.osrel', bytes: utf8('ID=hearth\n') },
  { name: '.cmdline', bytes: utf8('panic=5 gpt') },
  { name: '.linux', bytes: pattern(10_001) },
  { name: '.initrd', bytes: pattern(512) },
];

// A stub is any UEFI program: this one is made by the linker. test/real takes systemd's own.
let dir: string;
let stub: Uint8Array;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'hearth-uki-'));
  writeFileSync(join(dir, 'stub.c'), 'int data = 7;\nint start(void) { return data; }\n');
  const run = (program: string, ...args: string[]) => execFileSync(program, args, { cwd: dir });
  run('gcc', '-c', '-O1', '-fno-ident', '-fno-asynchronous-unwind-tables', 'stub.c');
  run('ld', '-m', 'i386pep', '--subsystem', '10', '-e', 'start', 'stub.o', '-o', 'stub.efi');
  stub = new Uint8Array(readFileSync(join(dir, 'stub.efi')));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

describe('writeUki', () => {
  test('puts the sections behind those of the stub, on pages of their own', () => {
    const before = stub.slice();
    const uki = writeUki({ stub, sections: SECTIONS });
    expect(stub).toEqual(before);
    const sections = readUki(uki);
    const own = readUki(stub);
    expect(sections.slice(0, own.length)).toEqual(own);
    const added = sections.slice(own.length);
    expect(added.map(({ name, bytes }) => ({ name, bytes }))).toEqual(SECTIONS);
    const pe = readPe(uki);
    let memoryEnd = Math.max(...readPe(stub).sections.map((s) => s.virtualAddress + s.virtualSize));
    for (const section of pe.sections.slice(own.length)) {
      expect(section.virtualAddress % 4096).toBe(0);
      expect(section.virtualAddress).toBeGreaterThanOrEqual(memoryEnd);
      expect(section.rawOffset % pe.fileAlignment).toBe(0);
      expect(section.rawSize % pe.fileAlignment).toBe(0);
      memoryEnd = section.virtualAddress + section.virtualSize;
    }
    const view = new DataView(uki.buffer);
    expect(view.getUint32(pe.at.optional + 56, true)).toBe(Math.ceil(memoryEnd / 4096) * 4096);
    expect(view.getUint32(pe.at.optional + 64, true)).toBe(peChecksum(uki, pe.at));
  });

  test('objcopy takes the same bytes out again', () => {
    const path = join(dir, 'out.efi');
    writeFileSync(path, writeUki({ stub, sections: SECTIONS, size: 2 ** 20 }));
    for (const { name, bytes } of SECTIONS) {
      const out = join(dir, `out${name}`);
      execFileSync('objcopy', ['-O', 'binary', '--only-section', name, path, out]);
      const taken = new Uint8Array(readFileSync(out));
      expect(taken.subarray(0, bytes.length)).toEqual(bytes);
      expect(taken.subarray(bytes.length).every((byte) => byte === 0)).toBe(true);
    }
  });

  test('the same input gives the same bytes', () => {
    expect(writeUki({ stub, sections: SECTIONS })).toEqual(
      writeUki({ stub: stub.slice(), sections: SECTIONS }),
    );
  });

  test('pads with zeros to the size that is asked for', () => {
    const exact = writeUki({ stub, sections: SECTIONS });
    const padded = writeUki({ stub, sections: SECTIONS, size: exact.length + 1000 });
    expect(padded.length).toBe(exact.length + 1000);
    expect(padded.subarray(exact.length).every((byte) => byte === 0)).toBe(true);
    expect(readUki(padded)).toEqual(
      readUki(exact).map((section) => ({ ...section, bytes: expect.anything() })),
    );
    expect(writeUki({ stub, sections: SECTIONS, size: exact.length })).toEqual(exact);
  });

  test('says by how much it does not fit, and what is largest (B4)', () => {
    const { length } = writeUki({ stub, sections: SECTIONS });
    const attempt = () => writeUki({ stub, sections: SECTIONS, size: length - 700 });
    expect(attempt).toThrow(FwError);
    expect(attempt).toThrow('700 bytes too large');
    expect(attempt).toThrow(expect.objectContaining({ where: 'section .linux, the largest: 10001 bytes' }));
  });

  test('refuses what would not boot', () => {
    const [first] = SECTIONS;
    if (!first) throw new Error('no section');
    expect(() => writeUki({ stub, sections: [first, first] })).toThrow('two sections .osrel');
    expect(() => writeUki({ stub, sections: [{ name: '.linux', bytes: utf8('') }] })).toThrow(
      '.linux is empty',
    );
    expect(() => writeUki({ stub: writeUki({ stub, sections: [first] }), sections: [first] })).toThrow(
      'two sections',
    );

    const signed = stub.slice();
    const { at } = readPe(stub);
    new DataView(signed.buffer).setUint32(at.optional + 112 + 4 * 8, 4096, true);
    expect(() => writeUki({ stub: signed, sections: SECTIONS })).toThrow('the stub is signed');

    const crowded = stub.slice();
    crowded[at.sectionTable + readPe(stub).sections.length * 40 + 3] = 1;
    expect(() => writeUki({ stub: crowded, sections: SECTIONS })).toThrow(
      'no room for 4 more section headers',
    );
  });
});

test('a section without bytes may lie anywhere: the image does not grow to it', () => {
  const empty = stub.slice();
  const { at, sections } = readPe(empty);
  const header = at.sectionTable + (sections.length - 1) * 40;
  const view = new DataView(empty.buffer);
  view.setUint32(header + 16, 0, true); // SizeOfRawData
  view.setUint32(header + 20, 2 ** 31, true); // PointerToRawData
  expect(writeUki({ stub: empty, sections: SECTIONS }).length).toBeLessThan(2 ** 16);
});

test('damaged images end in a FormatError (A6)', () => {
  const uki = writeUki({ stub, sections: SECTIONS });
  const headers = readPe(uki).sizeOfHeaders;
  const edit = fc.tuple(fc.nat(headers), fc.constantFrom(0, 1, 2, 127, 128, 255));
  fc.assert(
    fc.property(fc.array(edit, { maxLength: 8 }), fc.nat(uki.length), (edits, cut) => {
      const bad = uki.slice(0, edits.length > 0 ? uki.length : cut);
      for (const [at, value] of edits) bad[at] = value;
      try {
        readUki(bad);
        writeUki({ stub: bad, sections: [{ name: '.uname', bytes: utf8('6.12') }] });
      } catch (error) {
        if (!(error instanceof FormatError)) throw error;
      }
    }),
    { numRuns: 2000 },
  );
});
