import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { packTar, type TarHeader } from 'modern-tar';
import { describe, expect, test } from 'vitest';
import { FormatError } from '../errors.ts';
import { readDeb } from './deb.ts';

const utf8 = (text: string) => new TextEncoder().encode(text);

/** An ar archive by ar(5), with whatever members a test wants. */
function ar(members: [string, Uint8Array][]): Uint8Array {
  const parts: Uint8Array[] = [utf8('!<arch>\n')];
  for (const [name, bytes] of members) {
    const header = `${name.padEnd(16)}${'0'.padEnd(12)}${'0'.padEnd(6)}${'0'.padEnd(6)}${'100644'.padEnd(8)}`;
    parts.push(utf8(`${header}${String(bytes.length).padEnd(10)}\`\n`), bytes);
    if (bytes.length % 2) parts.push(utf8('\n'));
  }
  return Buffer.concat(parts);
}

type Entry = Partial<TarHeader> & { name: string; body?: string };
const tar = (entries: Entry[]) =>
  packTar(
    entries.map(({ body, ...header }) => ({
      header: { uid: 0, gid: 0, mtime: new Date(0), size: utf8(body ?? '').length, ...header },
      ...(body === undefined ? {} : { body: utf8(body) }),
    })),
  );

const CONTROL =
  'Package: hello\nVersion: 1.2-3\nArchitecture: arm64\nDescription: a greeting\n of two lines\n .\n';
async function deb(entries: Entry[], control = CONTROL): Promise<Uint8Array> {
  return ar([
    ['debian-binary', utf8('2.0\n')],
    ['control.tar.gz', gzipSync(await tar([{ name: './control', body: control }]))],
    ['data.tar', await tar(entries)],
  ]);
}

const TREE: Entry[] = [
  { name: './', type: 'directory', mode: 0o755 },
  { name: './bin/', type: 'directory', mode: 0o755 },
  { name: './bin/hello', mode: 0o4755, uid: 7, gid: 8, body: 'hi' },
  { name: './bin/hi', type: 'link', linkname: './bin/hello' },
  { name: './bin/greet', type: 'symlink', linkname: '/etc/alternatives/greet', mode: 0o777 },
  { name: './bin/empty', mode: 0o644, body: '' },
];

describe('readDeb', () => {
  test('gives the control fields, folded ones with their lines', async () => {
    const { control, ...rest } = await readDeb(await deb(TREE));
    expect(rest).toMatchObject({ package: 'hello', version: '1.2-3', architecture: 'arm64' });
    expect(control.get('Description')).toBe('a greeting\n of two lines\n .');
  });

  test('gives the members with clean paths, owners and all mode bits', async () => {
    const { members } = await readDeb(await deb(TREE));
    const root = { uid: 0, gid: 0 };
    expect(members).toEqual([
      { path: 'bin', type: 'dir', mode: 0o755, ...root },
      { path: 'bin/hello', type: 'file', mode: 0o4755, uid: 7, gid: 8, bytes: utf8('hi') },
      { path: 'bin/hi', type: 'hardlink', mode: 0o644, ...root, target: 'bin/hello' },
      { path: 'bin/greet', type: 'symlink', mode: 0o777, ...root, target: '/etc/alternatives/greet' },
      { path: 'bin/empty', type: 'file', mode: 0o644, ...root, bytes: new Uint8Array() },
    ]);
  });

  test('leaves out what is not wanted', async () => {
    const seen: string[] = [];
    const want = (path: string) => {
      seen.push(path);
      return path.endsWith('hello');
    };
    const { members } = await readDeb(await deb(TREE), { want });
    expect(members.map(({ path }) => path)).toEqual(['bin/hello']);
    expect(seen).toEqual(['bin', 'bin/hello', 'bin/hi', 'bin/greet', 'bin/empty']);
  });

  test('a directory may be listed twice', async () => {
    const { members } = await readDeb(await deb([...TREE, { name: './bin/', type: 'directory' }]));
    expect(members.filter(({ path }) => path === 'bin')).toHaveLength(1);
  });
});

describe('readDeb refuses (A4)', () => {
  const cases: [string, Entry[], string][] = [
    ['a path that climbs out', [{ name: './../etc/passwd', body: 'x' }], 'unsafe path: "./../etc/passwd"'],
    ['a path that climbs out from inside', [{ name: 'a/../../b', body: 'x' }], 'unsafe path'],
    ['an absolute path', [{ name: '/etc/passwd', body: 'x' }], 'unsafe path: "/etc/passwd"'],
    ['an empty component', [{ name: './a//b', body: 'x' }], 'unsafe path'],
    ['a hard link that climbs out', [{ name: 'a', type: 'link', linkname: '../b' }], 'unsafe path: "../b"'],
    ['a hard link to nothing', [{ name: 'a', type: 'link', linkname: 'b' }], 'leads to b, which is no file'],
    ['a symbolic link to nothing', [{ name: 'a', type: 'symlink', linkname: '' }], 'leads nowhere'],
    [
      'a file twice',
      [
        { name: 'a', body: '1' },
        { name: './a', body: '2' },
      ],
      'same path',
    ],
    [
      'a file below a symbolic link',
      [
        { name: 'a', type: 'symlink', linkname: '/etc' },
        { name: 'a/b', body: '' },
      ],
      'below a, which is a symlink',
    ],
    [
      'a file far below a file',
      [
        { name: 'a', body: '' },
        { name: 'a/b/c', body: '' },
      ],
      'below a, which is a file',
    ],
    ['a device', [{ name: 'null', type: 'character-device' }], 'a character-device cannot be taken'],
    ['a pipe', [{ name: 'pipe', type: 'fifo' }], 'a fifo cannot be taken'],
  ];
  test.each(cases)('%s', async (_what, entries, message) => {
    await expect(readDeb(await deb(entries))).rejects.toThrow(message);
  });

  test('an unsafe path even when nobody wants it', async () => {
    const bytes = await deb([{ name: '../x', body: '' }]);
    await expect(readDeb(bytes, { want: () => false })).rejects.toThrow('unsafe path');
  });

  test.each([
    ['no version', 'Package: a\nArchitecture: all\n', 'lacks the field Version'],
    ['a field twice', 'Package: a\nPackage: b\n', 'control file is damaged (control, line 2)'],
    ['a line without a name', 'Package: a\nnonsense\n', 'control, line 2'],
    ['a continuation of nothing', ' Package: a\n', 'control, line 1'],
  ])('a control file with %s', async (_what, control, message) => {
    await expect(readDeb(await deb([], control))).rejects.toThrow(message);
  });

  test('containers that are not packages', async () => {
    const binary: [string, Uint8Array] = ['debian-binary', utf8('2.0\n')];
    const control: [string, Uint8Array] = ['control.tar', await tar([{ name: 'control', body: CONTROL }])];
    const refuse = (bytes: Uint8Array, message: string) => expect(readDeb(bytes)).rejects.toThrow(message);
    await refuse(utf8('hello'), 'this is not a Debian package');
    await refuse(ar([['debian-binary', utf8('3.0\n')]]), 'not of a format known here');
    await refuse(ar([binary, control]), 'the package has no data.tar');
    await refuse(ar([binary, control, ['data.tar.lzma', utf8('')]]), 'the package has data.tar.lzma');
    await refuse(
      ar([binary, control, ['data.tar', utf8('')], ['data.tar.xz', utf8('')]]),
      'data.tar and data.tar.xz',
    );
    await refuse(ar([binary, binary]), 'two members are named debian-binary');
    await refuse(ar([binary, control, ['data.tar.gz', utf8('hm')]]), 'data.tar.gz cannot be unpacked');
    await refuse(
      ar([binary, control, ['data.tar', utf8('hm')]]),
      'data.tar is damaged: Tar archive is truncated',
    );
  });

  test('a data archive that unpacks to more than allowed', async () => {
    const control: [string, Uint8Array] = ['control.tar', await tar([{ name: 'control', body: CONTROL }])];
    const data = gzipSync(await tar([{ name: 'zeros', body: '\0'.repeat(100_000) }]));
    const bytes = ar([['debian-binary', utf8('2.0\n')], control, ['data.tar.gz', data]]);
    expect((await readDeb(bytes)).members).toHaveLength(1);
    await expect(readDeb(bytes, { maxBytes: 50_000 })).rejects.toThrow('data.tar.gz cannot be unpacked');
  });

  test('truncation at every byte, and damage anywhere, with nothing but FormatError', async () => {
    const good = await deb(TREE);
    for (let cut = 0; cut < good.length; cut += 7) {
      await expect(readDeb(good.subarray(0, cut))).rejects.toThrow(FormatError);
    }
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(good.length - 1), fc.nat(255)), { minLength: 1, maxLength: 8 }),
        async (edits) => {
          const bad = good.slice();
          for (const [at, value] of edits) bad[at] = value;
          await readDeb(bad).catch((error) => expect(error).toBeInstanceOf(FormatError));
        },
      ),
      { numRuns: 300 },
    );
  });
});
