/** Our reader of squashfs, judged on images that mksquashfs makes: it must find what lies in the folder they are made from. */
import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  type FileHandle,
  link,
  lstat,
  mkdir,
  mkdtemp,
  open,
  readdir,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FormatError } from '../../src/errors.ts';
import { openSquashfs, type SquashfsReader } from '../../src/formats/squashfs/read/index.ts';
import { noise, text } from '../../src/formats/squashfs/sample.ts';

const run = promisify(execFile);
const KiB = 1024;
let folder: string;
let source: string;
const handles: FileHandle[] = [];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'squashfs-read-'));
  source = join(folder, 'source');
  await mkdir(join(source, 'deep', 'er', 'und tiefer'), { recursive: true });
  await mkdir(join(source, 'empty'));
  await mkdir(join(source, 'many'));
  await writeFile(join(source, 'text'), text(700 * KiB, 1));
  await writeFile(join(source, 'noise'), noise(300 * KiB + 1, 2));
  await writeFile(join(source, 'no-bytes'), '');
  await writeFile(join(source, 'exactly-a-block'), noise(128 * KiB, 3));
  await writeFile(join(source, 'holes'), Buffer.concat([Buffer.alloc(512 * KiB), noise(5, 4)]));
  await writeFile(join(source, 'deep', 'er', 'und tiefer', 'größe'), 'ü', { mode: 0o600 });
  await link(join(source, 'text'), join(source, 'deep', 'the same text'));
  await symlink('../text', join(source, 'deep', 'link'));
  await run('mkfifo', [join(source, 'pipe')]);
  // More than a metadata block of inodes, and a directory of more than 64 KiB, which gets an index.
  const name = 'a long name so that the listing needs an index '.repeat(2);
  for (let i = 0; i < 900; i++) await writeFile(join(source, 'many', `${name}${i}`), text(i % 7, i));
});
afterAll(async () => {
  for (const handle of handles) await handle.close();
  await rm(folder, { recursive: true, force: true });
});

async function read(...options: string[]): Promise<SquashfsReader> {
  const path = join(folder, 'image.squashfs');
  const env = { ...process.env, SOURCE_DATE_EPOCH: undefined };
  await run('mksquashfs', [source, path, '-noappend', '-no-progress', '-processors', '1', ...options], {
    env,
  });
  const handle = await open(path, 'r');
  handles.push(handle);
  return openSquashfs(async (offset, length) => {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(length), 0, length, offset);
    return buffer.subarray(0, bytesRead);
  });
}

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex');

/** What `find` and `sha256sum` say of a folder, one line a file. */
async function onDisk(): Promise<string[]> {
  const format = '%P\t%y\t%m\t%U:%G\t%Ts\t%l\n';
  const { stdout } = await run('find', [source, '-printf', format], { maxBuffer: 2 ** 26 });
  const { stdout: sums } = await run('sh', [
    '-c',
    `cd "$0" && find . -type f -print0 | xargs -0 sha256sum`,
    source,
  ]);
  return `${stdout}${sums}`.split('\n').filter(Boolean).sort();
}

const TYPE = { dir: 'd', file: 'f', symlink: 'l', fifo: 'p', char: 'c', block: 'b', socket: 's' };

async function inImage(reader: SquashfsReader): Promise<string[]> {
  const lines: string[] = [];
  for (const { path, type, mode, uid, gid, mtime, target = '' } of reader.entries()) {
    lines.push([path.slice(1), TYPE[type], mode.toString(8), `${uid}:${gid}`, mtime, target].join('\t'));
    if (type === 'file') lines.push(`${sha256(await reader.file(path))}  .${path}`);
  }
  return lines.sort();
}

describe('mksquashfs', () => {
  it.each([
    ['zstd', ['-comp', 'zstd']],
    ['gzip', ['-comp', 'gzip']],
    ['blocks of 4 KiB', ['-comp', 'zstd', '-b', '4K']],
    ['blocks of 1 MiB, without fragments', ['-comp', 'zstd', '-b', '1M', '-no-fragments']],
    [
      'tails in fragments, nothing compressed',
      ['-comp', 'gzip', '-always-use-fragments', '-noI', '-noD', '-noF'],
    ],
    ['an export table, no attributes, no padding', ['-comp', 'zstd', '-exports', '-no-xattrs', '-nopad']],
  ])('%s', async (_, options) => {
    const reader = await read(...options);
    expect(await inImage(reader)).toEqual(await onDisk());
    const same = [reader.stat('/text'), reader.stat('/deep/the same text')];
    expect(same[0]?.inode).toBe(same[1]?.inode);
    expect(reader.stat('/exactly-a-block')).toMatchObject({ size: 128 * KiB });
    expect(reader.stat('/holes')?.stored).toBeLessThan(4 * KiB);
    expect((await lstat(join(source, 'holes'))).size).toBe(reader.stat('/holes')?.size);
    expect((await readdir(join(source, 'many'))).length).toBe(900);
  });

  it.each(['xz', 'lz4', 'lzo'])('with %s is refused by its name', async (compressor) => {
    const error = await read('-comp', compressor).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(FormatError);
    expect((error as FormatError).message).toContain(`compressed with ${compressor}, which is not read here`);
  });
});
