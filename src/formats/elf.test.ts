import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { FormatError } from '../errors.ts';
import { elfSections, isElf, machineOf, readElf, stripElf } from './elf.ts';

let dir: string;
const files = new Map<string, Uint8Array>();
const file = (name: string): Uint8Array => files.get(name) ?? new Uint8Array();

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'hearth-elf-'));
  writeFileSync(join(dir, 'lib.c'), 'int answer(void) { return 42; }\n');
  writeFileSync(
    join(dir, 'main.c'),
    '#include <stdio.h>\nint answer(void);\nint main(void) { printf("%d\\n", answer()); return 0; }\n',
  );
  const cc = (compiler: string, ...args: string[]) => execFileSync(compiler, args, { cwd: dir });
  const libFlags = ['-g', '-shared', '-fPIC', '-Wl,-soname,libanswer.so.1', 'lib.c'];
  const mainFlags = ['-g', 'main.c', '-L.', '-Wl,--enable-new-dtags,-rpath,$ORIGIN:/opt/lib'];
  cc('gcc', ...libFlags, '-o', 'libanswer.so.1');
  cc('gcc', ...mainFlags, '-l:libanswer.so.1', '-o', 'main');
  cc('gcc', '-static', '-nostdlib', '-Wl,-e,answer', 'lib.c', '-o', 'static');
  cc('gcc', '-c', '-ffunction-sections', 'lib.c', '-o', 'lib.o');
  cc('aarch64-linux-gnu-gcc', ...libFlags, '-o', 'libarm.so');
  for (const name of ['libanswer.so.1', 'main', 'static', 'lib.o', 'libarm.so']) {
    files.set(name, new Uint8Array(readFileSync(join(dir, name))));
  }
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

describe('readElf', () => {
  test('a program says what it needs to be loaded', () => {
    const elf = readElf(file('main'));
    expect(elf).toMatchObject({
      machine: 'x86_64',
      type: 'dyn',
      interpreter: '/lib64/ld-linux-x86-64.so.2',
      needed: ['libanswer.so.1', 'libc.so.6'],
      runpath: '$ORIGIN:/opt/lib',
    });
    expect(elf.versions.get('libc.so.6')).toContain('GLIBC_2.2.5');
    expect(elf).not.toHaveProperty('soname');
  });

  test('a library has a name and no interpreter', () => {
    const elf = readElf(file('libarm.so'));
    expect(elf).toMatchObject({ machine: 'aarch64', type: 'dyn', soname: 'libanswer.so.1' });
    expect(elf).not.toHaveProperty('interpreter');
  });

  test('a static program needs nothing', () => {
    expect(readElf(file('static'))).toEqual({
      machine: 'x86_64',
      type: 'exec',
      needed: [],
      versions: new Map(),
    });
  });

  test('another machine is named by its number', () => {
    const riscv = file('static').slice();
    riscv[18] = 243;
    expect(readElf(riscv).machine).toBe(243);
    expect(machineOf(riscv)).toBe(243);
  });

  test('what is no 64-bit little-endian ELF file is refused', () => {
    const main = file('main');
    const as32 = main.slice();
    as32[4] = 1;
    expect(() => readElf(as32)).toThrow('for another kind of machine');
    expect(() => readElf(new TextEncoder().encode('#!/bin/sh\n'))).toThrow('not an ELF file');
    expect(() => readElf(main.subarray(0, 63))).toThrow('not an ELF file');
    expect([machineOf(as32), machineOf(new Uint8Array()), machineOf(main)]).toEqual([
      undefined,
      undefined,
      'x86_64',
    ]);
    expect([isElf(main), isElf(new Uint8Array([0x7f]))]).toEqual([true, false]);
  });
});

describe('stripElf', () => {
  test('a stripped program is smaller, says the same about itself, and runs', () => {
    const before = file('main').slice();
    const stripped = stripElf(file('main'));
    expect(file('main')).toEqual(before);
    expect(stripped.length).toBeLessThan(before.length);
    expect(readElf(stripped)).toEqual(readElf(before));
    expect(elfSections(stripped)).toEqual([]);
    writeFileSync(join(dir, 'stripped'), stripped, { mode: 0o755 });
    const run = spawnSync(join(dir, 'stripped'), { encoding: 'utf8' });
    expect([run.status, run.stdout, run.stderr]).toEqual([0, '42\n', '']);
    expect(stripElf(stripped)).toEqual(stripped);
  });

  test('leaves a Buffer that is part of a larger one as it was', () => {
    const pool = Buffer.concat([Buffer.alloc(100), file('main')]);
    const before = Buffer.from(pool);
    expect(stripElf(pool.subarray(100))).toEqual(stripElf(file('main')));
    expect(pool).toEqual(before);
  });

  test('refuses an object file, which would be left with nothing', () => {
    expect(() => stripElf(file('lib.o'))).toThrow('without loaded segments');
  });
});

test('elfSections gives names and bytes', () => {
  const sections = elfSections(file('lib.o'));
  const text = sections.find(({ name }) => name === '.text.answer');
  expect(text?.bytes.at(-1)).toBe(0xc3); // ret
  const symbols = sections.find(({ name }) => name === '.symtab');
  expect(sections[symbols?.link ?? 0]?.name).toBe('.strtab');
  expect(sections.find(({ name }) => name === '.bss')?.bytes).toHaveLength(0);
});

test('elfSections refuses a section that leads out of the file', () => {
  const object = file('lib.o').slice();
  const view = new DataView(object.buffer);
  const table = Number(view.getBigUint64(40, true));
  view.setBigUint64(table + 64 + 32, BigInt(object.length), true); // the size of section 1
  expect(() => elfSections(object)).toThrow('section 1 leads out of the file');
});

describe('damaged files end in a FormatError (A6)', () => {
  const attempt = (bytes: Uint8Array) => {
    for (const read of [readElf, stripElf, elfSections]) {
      try {
        read(bytes);
      } catch (error) {
        if (!(error instanceof FormatError)) throw error;
      }
    }
  };

  test('truncated anywhere', () => {
    for (const bytes of files.values())
      for (let cut = 0; cut < bytes.length; cut += 97) attempt(bytes.subarray(0, cut));
  });

  test('changed anywhere that is looked at', () => {
    const main = file('main');
    const dynamic = elfSections(main).find(({ name }) => name === '.dynamic')?.bytes.byteOffset ?? 0;
    const needs = elfSections(main).find(({ name }) => name === '.gnu.version_r')?.bytes.byteOffset ?? 0;
    const table = main.length - 31 * 64;
    const place = fc.oneof(
      fc.nat(1000),
      ...[dynamic, needs, table].map((start) => fc.nat(500).map((at) => start + at)),
    );
    const edits = fc.array(fc.tuple(place, fc.constantFrom(0, 1, 8, 64, 127, 128, 255)), {
      minLength: 1,
      maxLength: 10,
    });
    fc.assert(
      fc.property(edits, (list) => {
        const bad = main.slice();
        for (const [at, value] of list) if (at < bad.length) bad[at] = value;
        attempt(bad);
      }),
      { numRuns: 2000 },
    );
  });

  test('a table of needed versions without end is given up', () => {
    const main = file('main');
    const needs = elfSections(main).find(({ name }) => name === '.gnu.version_r')?.bytes.byteOffset ?? 0;
    const evil = new Uint8Array(main.length + 16 * 5000);
    evil.set(main);
    const view = new DataView(evil.buffer);
    view.setUint16(needs + 2, 0xffff, true); // vn_cnt
    view.setUint32(needs + 8, main.length - needs, true); // vn_aux
    // Of 5,000 versions each names the next, by vna_next; the last names none.
    for (let at = main.length; at < evil.length - 16; at += 16) view.setUint32(at + 12, 16, true);
    expect(() => readElf(evil)).toThrow('the table of needed versions');
  });
});
