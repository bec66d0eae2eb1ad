import { FormatError } from '../errors.ts';
import { alignUp, compareBytes } from './bytes.ts';
import type { DirNode, TreeNode } from './tree.ts';

const MAGIC = '070701';
const HEADER_BYTES = 110;
const TRAILER = 'TRAILER!!!';
/** What cpio itself pads archives to; the kernel wants a multiple of 4 at least. */
const BLOCK = 512;
const MAX_SIZE = 0xffff_ffff;
/** The kernel's PATH_MAX: longer names are skipped by its unpacker without a word. */
const MAX_NAME_BYTES = 4095;
const KINDS = { file: 0o100000, dir: 0o040000, symlink: 0o120000, char: 0o020000, block: 0o060000 } as const;

export interface CpioOptions {
  /** Seconds since 1970: the time of every entry. Default 0. */
  mtime?: number;
}

interface Entry {
  path: string;
  node: TreeNode;
}

function* entriesOf(dir: DirNode, parent: string): Generator<Entry> {
  for (const name of [...dir.entries.keys()].sort(compareBytes)) {
    if (name === '' || name === '.' || name === '..' || /[/\0]/.test(name)) {
      throw new FormatError('cpio', `${JSON.stringify(name)} is no file name`, { where: parent || '/' });
    }
    const node = dir.entries.get(name);
    if (!node) continue;
    const path = parent === '' ? name : `${parent}/${name}`;
    if (path === TRAILER) {
      throw new FormatError('cpio', `a file may not be named ${TRAILER}: it ends the archive`, {
        where: path,
      });
    }
    yield { path, node };
    if (node.type === 'dir') yield* entriesOf(node, path);
  }
}

interface Fields {
  ino: number;
  mode: number;
  uid: number;
  gid: number;
  nlink: number;
  mtime: number;
  size: number;
  major: number;
  minor: number;
}

/** Header and name, padded to 4 bytes (cpio(5), "New ASCII Format"). */
function header(path: string, fields: Fields): Uint8Array {
  const name = Buffer.from(`${path}\0`);
  if (name.length > MAX_NAME_BYTES + 1) {
    throw new FormatError('cpio', `the path is ${name.length - 1 - MAX_NAME_BYTES} bytes too long`, {
      where: path,
    });
  }
  const { ino, mode, uid, gid, nlink, mtime, size, major, minor } = fields;
  const numbers = [ino, mode, uid, gid, nlink, mtime, size, 0, 0, major, minor, name.length, 0];
  for (const value of numbers) {
    if (!Number.isInteger(value) || value < 0 || value > MAX_SIZE) {
      throw new FormatError('cpio', `the number ${value} does not fit`, {
        where: path,
        expected: '0 to 4,294,967,295',
      });
    }
  }
  const text = MAGIC + numbers.map((value) => value.toString(16).padStart(8, '0')).join('');
  const bytes = new Uint8Array(alignUp(HEADER_BYTES + name.length, 4));
  bytes.set(Buffer.from(text, 'latin1'));
  bytes.set(name, HEADER_BYTES);
  return bytes;
}

async function contentOf(path: string, node: TreeNode): Promise<Uint8Array> {
  if (node.type === 'symlink') return Buffer.from(node.target);
  if (node.type !== 'file') return new Uint8Array(0);
  const bytes = await node.content.read();
  if (bytes.length === node.content.size) return bytes;
  throw new FormatError('cpio', `the file has ${bytes.length} bytes`, {
    where: path,
    expected: `${node.content.size} bytes, as its tree says`,
  });
}

function subdirectories(node: TreeNode): number {
  return node.type === 'dir' ? [...node.entries.values()].filter(({ type }) => type === 'dir').length : 0;
}

/**
 * Writes a tree as a cpio archive of the kind that the kernel takes as initramfs ("newc"), chunk by chunk; each file
 * is read when its turn comes. The root itself is not an entry: the kernel has made it already. Entries are in
 * byte order of their names, folders before what is in them; inode numbers count up from 1; no hard links.
 * @throws FormatError that names the entry which cannot be written
 */
export async function* writeCpio(root: DirNode, options: CpioOptions = {}): AsyncGenerator<Uint8Array> {
  const mtime = options.mtime ?? 0;
  let written = 0;
  const count = (bytes: Uint8Array): Uint8Array => {
    written += bytes.length;
    return bytes;
  };
  let ino = 1;
  for (const { path, node } of entriesOf(root, '')) {
    const content = await contentOf(path, node);
    const isDevice = node.type === 'char' || node.type === 'block';
    yield count(
      header(path, {
        ...{ ino, mtime, uid: node.uid, gid: node.gid, size: content.length },
        // The kernel sets setuid and sticky bits from here too: 12 bits of mode.
        mode: KINDS[node.type] | (node.mode & 0o7777),
        nlink: node.type === 'dir' ? 2 + subdirectories(node) : 1,
        major: isDevice ? node.major : 0,
        minor: isDevice ? node.minor : 0,
      }),
    );
    ino += 1;
    if (content.length > 0) yield count(content);
    yield count(new Uint8Array(alignUp(content.length, 4) - content.length));
  }
  const none = { ino: 0, mode: 0, uid: 0, gid: 0, mtime: 0, size: 0, major: 0, minor: 0 };
  yield count(header(TRAILER, { ...none, nlink: 1 }));
  yield new Uint8Array(alignUp(written, BLOCK) - written);
}

/** The same as one array of bytes. */
export async function cpioBytes(root: DirNode, options: CpioOptions = {}): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of writeCpio(root, options)) chunks.push(chunk);
  return Buffer.concat(chunks);
}
