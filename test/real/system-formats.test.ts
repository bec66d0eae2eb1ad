import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type DebMember, readDeb } from '../../src/formats/deb.ts';
import { isElf, machineOf, readElf, stripElf } from '../../src/formats/elf.ts';
import { moduleClosure, moduleIndexes, modulesByName } from '../../src/formats/kmod/index.ts';
import { assembleModules, type SampleModule } from '../../src/formats/kmod/sample.ts';
import { readUki, writeUki } from '../../src/formats/uki.ts';

// What a system is made from, as the programs that made these formats see it (B1): dpkg-deb, readelf, objcopy with
// systemd's own stub, depmod.

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'hearth-formats-'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));
const run = (program: string, ...args: string[]) =>
  execFileSync(program, args, {
    encoding: 'utf8',
    maxBuffer: 2 ** 28,
    env: { ...process.env, LC_ALL: 'C.UTF-8' },
  });

describe('readDeb agrees with dpkg-deb', () => {
  const LONG = `${'a-rather-long-directory-name/'.repeat(9)}and-a-file-name-that-is-long-too`;
  const FILES: Record<string, string> = {
    'usr/bin/tool': '#!/bin/sh\nexit 0\n',
    'usr/share/empty': '',
    'usr/share/ünïcode — name': 'text',
    'usr/share/with space': 'x'.repeat(70_000),
    [`usr/share/${'n'.repeat(120)}`]: 'a name beyond 100 characters',
    [LONG]: 'a path beyond 256 characters',
  };

  beforeAll(() => {
    const root = join(dir, 'package');
    for (const [path, content] of Object.entries(FILES)) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), content, { mode: 0o644 });
    }
    chmodSync(join(root, 'usr/bin/tool'), 0o4755);
    symlinkSync('../bin/tool', join(root, 'usr/share/link'));
    symlinkSync(`/${'very/'.repeat(40)}far`, join(root, 'usr/share/long-link'));
    linkSync(join(root, 'usr/bin/tool'), join(root, 'usr/share/hard'));
    mkdirSync(join(root, 'DEBIAN'));
    const control =
      'Package: sample\nVersion: 1:2.0~rc1-3+b1\nArchitecture: amd64\nMaintainer: A <a@b.c>\nDescription: short\n long\n';
    writeFileSync(join(root, 'DEBIAN/control'), control);
    // Not whatever umask the tests run under: dpkg-deb wants these.
    chmodSync(join(root, 'DEBIAN'), 0o755);
  });

  /** A member as `tar tv` prints it, without size and time. */
  const line = (member: DebMember): string => {
    const bits = (shift: number, special: number, letter: string) => {
      const mode = member.mode >> shift;
      const set = (member.mode & special) !== 0;
      const execute = mode & 1 ? (set ? letter : 'x') : set ? letter.toUpperCase() : '-';
      return `${mode & 4 ? 'r' : '-'}${mode & 2 ? 'w' : '-'}${execute}`;
    };
    const type = { file: '-', dir: 'd', symlink: 'l', hardlink: 'h' }[member.type];
    const modes = `${bits(6, 0o4000, 's')}${bits(3, 0o2000, 's')}${bits(0, 0o1000, 't')}`;
    const slash = member.type === 'dir' ? '/' : '';
    const target =
      member.type === 'symlink'
        ? ` -> ${member.target}`
        : member.type === 'hardlink'
          ? ` link to ./${member.target}`
          : '';
    return `${type}${modes} ${member.uid}/${member.gid} ./${member.path}${slash}${target}`;
  };

  test.each(['xz', 'zstd', 'gzip', 'none'])('packed with %s', async (packing) => {
    const deb = join(dir, `${packing}.deb`);
    run('dpkg-deb', `-Z${packing}`, '--build', join(dir, 'package'), deb);
    const { members, control, ...fields } = await readDeb(readFileSync(deb));

    expect(fields).toEqual({ package: 'sample', version: '1:2.0~rc1-3+b1', architecture: 'amd64' });
    for (const [name, value] of control) expect(run('dpkg-deb', '-f', deb, name)).toBe(`${value}\n`);

    const tar = execFileSync('dpkg-deb', ['--fsys-tarfile', deb]);
    const listing = execFileSync('tar', ['tv', '--numeric-owner', '--quoting-style=literal'], {
      input: tar,
      encoding: 'utf8',
      env: { ...process.env, LC_ALL: 'C.UTF-8' },
    });
    const theirs = listing
      .trimEnd()
      .split('\n')
      .map((text) => text.replace(/^(\S+ \S+) +\d+ \S+ \S+ /, '$1 '));
    expect(members.map(line)).toEqual(theirs.filter((text) => !text.endsWith(' ./')));

    const unpacked = join(dir, packing);
    run('dpkg-deb', '-x', deb, unpacked);
    const files = members.filter((member) => member.type === 'file');
    expect(files.length).toBe(Object.keys(FILES).length);
    for (const { path, bytes } of files)
      expect(Buffer.compare(bytes, readFileSync(join(unpacked, path)))).toBe(0);
  });
});

describe('ELF files of this machine, as readelf sees them', () => {
  const FOLDERS = ['/usr/bin', '/usr/lib/x86_64-linux-gnu', '/usr/aarch64-linux-gnu/lib'];
  const PER_FOLDER = 25;

  /** Every so many-th file of a folder, so that all kinds are among them. */
  async function sample(folder: string): Promise<{ path: string; bytes: Uint8Array }[]> {
    const entries = (await readdir(folder, { withFileTypes: true })).filter((entry) => entry.isFile());
    const names = entries.map(({ name }) => name).sort();
    const step = Math.ceil(names.length / (PER_FOLDER * 3));
    const files = names
      .filter((_, i) => i % step === 0)
      .map(async (name) => {
        const path = join(folder, name);
        return { path, bytes: new Uint8Array(await readFile(path)) };
      });
    const elf = (await Promise.all(files)).filter(({ bytes }) => machineOf(bytes) !== undefined);
    return elf.slice(0, PER_FOLDER);
  }

  test.each(FOLDERS)('in %s', async (folder) => {
    const files = await sample(folder);
    expect(files.length).toBeGreaterThan(5);
    for (const { path, bytes } of files) {
      const text = run('readelf', '-hldVW', path);
      const all = (pattern: RegExp) => [...text.matchAll(pattern)].map(([, value]) => value);
      const elf = readElf(bytes);
      const machine = { x86_64: 'Advanced Micro Devices X86-64', aarch64: 'AArch64' }[elf.machine];
      expect([path, all(/Machine: +(.*)/g)]).toEqual([path, [machine]]);
      expect([path, elf.needed]).toEqual([path, all(/\(NEEDED\).*\[(.*)\]/g)]);
      expect([path, elf.soname]).toEqual([path, all(/\(SONAME\).*\[(.*)\]/g)[0]]);
      expect([path, elf.runpath]).toEqual([path, all(/\(RUNPATH\).*\[(.*)\]/g)[0]]);
      expect([path, elf.interpreter]).toEqual([path, all(/interpreter: (.*)\]/g)[0]]);
      const versions = [...elf.versions].flatMap(([library, names]) => [`File ${library}`, ...names]);
      const needs = text.split('Version needs section')[1] ?? '';
      const theirs = [...needs.matchAll(/File: (\S+)|Name: (\S+) +Flags/g)].map(([, file, name]) =>
        file ? `File ${file}` : name,
      );
      expect([path, versions]).toEqual([path, theirs]);
    }
  });

  test.each(['/usr/bin/sort', '/usr/bin/dtc', process.execPath])(
    '%s runs as before when stripped',
    (path) => {
      const stripped = stripElf(readFileSync(path));
      expect(isElf(stripped)).toBe(true);
      const copy = join(dir, 'stripped');
      writeFileSync(copy, stripped, { mode: 0o755 });
      const results = [path, copy].map((program) =>
        spawnSync(program, ['--version'], { argv0: 'it', encoding: 'utf8' }),
      );
      const [before, after] = results.map(({ status, stdout, stderr }) => ({ status, stdout, stderr }));
      expect(after).toEqual(before);
      expect(after?.status).toBe(0);
      expect(run('readelf', '-hW', copy)).toMatch(/Number of section headers: +0\n/);
    },
  );
});

describe('unified kernel images on systemd’s stub', () => {
  // Debian's package systemd-boot-efi; scripts/setup installs it.
  const STUB = '/usr/lib/systemd/boot/efi/linuxx64.efi.stub';
  const SECTIONS = [
    { name: '.osrel', bytes: Buffer.from('ID=hearth\nVERSION_ID=1.2.3\n') },
    { name: '.cmdline', bytes: Buffer.from('panic=5 gpt hearth.target=x86_64') },
    { name: '.uname', bytes: Buffer.from('6.12.0') },
    { name: '.linux', bytes: Buffer.alloc(3_000_001, 'kernel') },
    { name: '.initrd', bytes: Buffer.alloc(700_000, 'initrd') },
  ] as const;

  test('binutils sees the stub’s sections unchanged, then ours, page by page', () => {
    const path = join(dir, 'uki.efi');
    const uki = writeUki({ stub: readFileSync(STUB), sections: SECTIONS, size: 4 * 2 ** 20 });
    writeFileSync(path, uki);
    const sections = (file: string) =>
      [...run('objdump', '-h', file).matchAll(/^ +\d+ (\S+) +(\w+) +(\w+) +\w+ +(\w+)/gm)].map(
        ([, name = '', size = '', address = '', offset = '']) => ({
          name,
          size: Number.parseInt(size, 16),
          address: Number.parseInt(address, 16),
          offset: Number.parseInt(offset, 16),
        }),
      );
    const own = sections(STUB);
    const all = sections(path);
    expect(own.length).toBeGreaterThan(3);
    expect(all.slice(0, own.length)).toEqual(own);
    const added = all.slice(own.length);
    expect(added.map(({ name, size }) => ({ name, size }))).toEqual(
      SECTIONS.map(({ name, bytes }) => ({ name, size: bytes.length })),
    );
    all.slice(1).forEach((section, i) => {
      expect(section.address).toBeGreaterThanOrEqual((all[i]?.address ?? 0) + (all[i]?.size ?? 0));
    });
    for (const { address } of added) expect(address % 4096).toBe(0);

    const header = run('objdump', '-p', path);
    const field = (name: string) =>
      Number.parseInt(new RegExp(`^${name}\\s+(\\w+)`, 'm').exec(header)?.[1] ?? '', 16);
    const last = all.at(-1);
    const imageEnd = (last?.address ?? 0) + (last?.size ?? 0) - field('ImageBase');
    expect(field('SizeOfImage')).toBe(Math.ceil(imageEnd / 4096) * 4096);

    for (const { name, bytes } of SECTIONS) {
      const out = join(dir, `section${name}`);
      run('objcopy', '-O', 'binary', '--only-section', name, path, out);
      expect(readFileSync(out).subarray(0, bytes.length).equals(bytes)).toBe(true);
      expect(readUki(uki).find((section) => section.name === name)?.bytes).toHaveLength(bytes.length);
    }
  });
});

describe('module indexes agree with depmod', () => {
  /** A graph of modules: each may need symbols of those before it, by whatever names. */
  const graph = fc.array(
    fc.record({
      needs: fc.array(fc.nat(100), { maxLength: 4 }),
      aliases: fc.array(
        fc.constantFrom('pci:v00008086d*', 'usb:v0BDAp8153d*', 'fs-thing', 'of:N*T*Cacme,[a-z]*'),
        { maxLength: 3 },
      ),
      softdep: fc.option(fc.constantFrom('pre: m-0', 'post: gone', 'pre: m_1 other')),
      folder: fc.constantFrom('fs', 'drivers/net', 'lib'),
    }),
    { minLength: 2, maxLength: 14 },
  );

  test('for any graph of modules', async () => {
    let round = 0;
    await fc.assert(
      fc.asyncProperty(graph, async (nodes) => {
        const release = '6.12.0-test';
        const base = join(dir, `depmod-${round++}`);
        const folder = join(base, 'lib/modules', release);
        const samples = nodes.map(({ needs, aliases, softdep }, i): SampleModule => {
          const needed = [...new Set(needs.filter(() => i > 0).map((n) => n % i))];
          const depends = needed.map((n) => `m_${n}`).join(',');
          return {
            file: `m-${i}`,
            modinfo: [
              ...aliases.map((alias) => `alias=${alias}`),
              `depends=${depends}`,
              ...(softdep ? [`softdep=${softdep}`] : []),
            ],
            exports: [`symbol_${i}`],
            imports: needed.map((n) => `symbol_${n}`),
          };
        });
        const files = new Map(
          [...assembleModules(samples)].map(([file, bytes], i) => [
            `kernel/${nodes[i]?.folder}/${file}.ko`,
            bytes,
          ]),
        );
        for (const [path, bytes] of files) {
          mkdirSync(dirname(join(folder, path)), { recursive: true });
          writeFileSync(join(folder, path), bytes);
        }
        for (const name of ['modules.builtin', 'modules.builtin.modinfo', 'modules.order'])
          writeFileSync(join(folder, name), '');
        run('depmod', '-b', base, release);

        const modules = await moduleClosure(modulesByName(files.keys()).keys(), {
          paths: modulesByName(files.keys()),
          builtin: new Set(),
          read: async (path) => files.get(path) ?? new Uint8Array(),
        });
        const indexes = moduleIndexes(modules);
        const sorted = (text = '') => text.split('\n').sort();
        const theirs = (name: string) => readFileSync(join(folder, name), 'utf8');
        expect(sorted(indexes.get('modules.alias'))).toEqual(sorted(theirs('modules.alias')));
        expect(sorted(indexes.get('modules.softdep'))).toEqual(sorted(theirs('modules.softdep')));
        // Within a line, only the order between a module and what it needs is fixed.
        const sets = (text = '') => sorted(text).map((each) => each.split(' ').sort());
        expect(sets(indexes.get('modules.dep'))).toEqual(sets(theirs('modules.dep')));
      }),
      { numRuns: 12 },
    );
  });
});
