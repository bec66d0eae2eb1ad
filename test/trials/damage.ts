import type { FirmwareFile, PayloadInput } from '../../src/archive/index.ts';
import { payloadReader } from '../../src/archive/payload-reader.ts';
import { INVENTORY_FOLDERS } from '../../src/build/inventory/index.ts';
import { PLAIN_FILES } from '../../src/build/rootfs.ts';
import { directory, file, insert, symlink } from '../../src/build/tree.ts';
import { readFat } from '../../src/formats/fat/index.ts';
import { writeSquashfs, zstdCompressor, zstdVersion } from '../../src/formats/squashfs/index.ts';
import { openSquashfs, type SquashfsReader } from '../../src/formats/squashfs/read/index.ts';
import type { DirNode, TreeNode } from '../../src/formats/tree.ts';
import { readUki } from '../../src/formats/uki.ts';
import { MiB } from '../../src/update/layout.ts';

/** What a payload of a firmware that was built becomes: everything else of it stays, and all is signed anew. */
export interface Damage {
  payload: 'root' | 'boot';
  of(fw: FirmwareFile): Promise<Pick<PayloadInput, 'pieces' | 'boundaries' | 'storage'>>;
}

const QUICK = { encoding: 'zstd', level: 3 } as const;
/** As `fw build` makes a root: what is the same is in its cache, and on the device. */
const ROOT_LEVEL = 19;
const ROOT = {
  ...{ blockSize: MiB, compress: zstdCompressor(ROOT_LEVEL), compressorLevel: ROOT_LEVEL },
  ...{ compressorVersion: zstdVersion, plain: PLAIN_FILES },
  last: ['/srv/app', '/usr/lib/hearth', ...INVENTORY_FOLDERS],
};

export type BlockCache = NonNullable<Parameters<typeof writeSquashfs>[1]['cache']>;

export function zeroRoot(size: number): Damage {
  return { payload: 'root', of: async () => ({ pieces: [new Uint8Array(size)], storage: QUICK }) };
}

export function truncatedRoot(size: number): Damage {
  return {
    payload: 'root',
    of: async (fw) => ({
      pieces: [(await wholePayload(fw, 'root')).subarray(0, size)],
      boundaries: cutsOf(fw, 'root'),
      storage: { encoding: 'raw' },
    }),
  };
}

/** A root in which somebody has changed the tree. */
export function changedRoot(cache: BlockCache, change: (root: DirNode) => void | Promise<void>): Damage {
  return {
    payload: 'root',
    async of(fw) {
      const reader = await openSquashfs(payloadReader(fw, 'root'));
      const root = await treeOf(reader);
      await change(root);
      const { mtime } = reader.superblock;
      const { image, boundaries } = await writeSquashfs(root, { ...ROOT, mtime, cache });
      return { pieces: image, boundaries, storage: { encoding: 'raw' } };
    },
  };
}

/** Parts of a boot payload: of a PC's kernel image, and of a Raspberry Pi's boot partition. */
const PARTS = {
  kernel: { section: '.linux', file: 'kernel8.img' },
  initramfs: { section: '.initrd', file: 'initramfs.img' },
} as const;

/** Its bytes are there, and mean nothing. */
export function corrupt(part: keyof typeof PARTS): Damage {
  return boot((bytes) => {
    for (const [offset, length] of placesOf(bytes, part)) bytes.fill(0xa5, offset, offset + length);
  });
}

/** A PC's kernel is its whole boot file; a Raspberry Pi's is a file of its boot partition. */
export function missing(part: 'kernel' | 'device tree'): Damage {
  return boot((bytes) => {
    if (isUki(bytes)) bytes.fill(0);
    else forget(bytes, part === 'kernel' ? /^KERNEL8 IMG/ : /^.{8}DTB/);
  });
}

function boot(change: (bytes: Buffer) => void): Damage {
  return {
    payload: 'boot',
    async of(fw) {
      const bytes = await wholePayload(fw, 'boot');
      change(bytes);
      return { pieces: [bytes], storage: QUICK };
    },
  };
}

function isUki(bytes: Buffer): boolean {
  return bytes.toString('latin1', 0, 2) === 'MZ';
}

function placesOf(bytes: Buffer, part: keyof typeof PARTS): [offset: number, length: number][] {
  const { section, file: name } = PARTS[part];
  if (!isUki(bytes))
    return fatOf(bytes)
      .extents(name)
      .map(({ offset, length }) => [offset, length]);
  return readUki(bytes)
    .filter((each) => each.name === section)
    .map(({ offset, bytes: { length } }) => [offset, length]);
}

function fatOf(bytes: Buffer) {
  return readFat((offset, length) => {
    const piece = Buffer.alloc(length);
    // What lies behind the last file need not travel, and reads as zeros.
    piece.set(bytes.subarray(offset, offset + length));
    return piece;
  });
}

const ENTRY = 32;

/** Takes files' entries out of the root folder, as `rm` does, by their short names. */
function forget(bytes: Buffer, short: RegExp): void {
  const folder = Array.from({ length: bytes.length / ENTRY }, (_, n) => n * ENTRY);
  const entries = folder.filter((at) => short.test(bytes.toString('latin1', at, at + 11)));
  if (entries.length === 0) throw new Error(`no entry ${short} in the boot partition`);
  for (const at of entries) bytes[at] = 0xe5;
}

export async function wholePayload(fw: FirmwareFile, name: string): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  for await (const { bytes } of fw.read(name)) pieces.push(bytes);
  return Buffer.concat(pieces);
}

/** Where a payload was cut: cut there again it has the chunks that it had. */
export function cutsOf(fw: FirmwareFile, name: string): number[] {
  return fw.chunks(name).map(({ offset }) => offset);
}

async function treeOf(reader: SquashfsReader): Promise<DirNode> {
  const root = directory();
  for (const entry of reader.entries()) {
    const { path, mode, uid, gid } = entry;
    if (path === '/') Object.assign(root, { mode, uid, gid });
    else insert(root, path, { ...(await nodeOf(reader, entry)), mode, uid, gid });
  }
  return root;
}

type Entry = ReturnType<SquashfsReader['entries']> extends Generator<infer E> ? E : never;

async function nodeOf(reader: SquashfsReader, { path, type, target = '', device }: Entry): Promise<TreeNode> {
  if (type === 'dir') return directory();
  if (type === 'symlink') return symlink(target);
  if (type === 'file') return file(await reader.file(path));
  if ((type === 'char' || type === 'block') && device)
    return { type, mode: 0, uid: 0, gid: 0, major: device.major, minor: device.minor };
  throw new Error(`${path} is a ${type}, which no firmware of ours has`);
}
