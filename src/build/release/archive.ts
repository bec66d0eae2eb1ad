import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { packTar, type TarEntry } from 'modern-tar';
import { TAR_BLOCK } from '../../formats/tar.ts';
import type { DirNode, FileNode } from '../../formats/tree.ts';
import type { Cache } from '../cache.ts';
import { sha256 } from '../hash.ts';
import { directory, walk } from '../tree.ts';

const LEVEL = 6;
/** A tar ends in two empty blocks; only the last part of the archive may have them. */
const TAR_END = 1024;
/** The operating system's field of a gzip header: zlib writes what it was built for. 3 is Unix. */
const GZIP_OS = 9;
const UNIX = 3;

/**
 * A tree as .tar.gz, below one folder: same tree, same bytes. It is made of three gzip members, which every reader joins
 * (RFC 1952, 2.2): the second is the content of `last`, nearly all of the bytes and the same for every app, so it is
 * compressed once.
 * @param last a file of the tree, whose path fits a plain tar header
 */
export async function packRelease(
  root: DirNode,
  folder: string,
  last: { path: string; node: FileNode },
  cache: Pick<Cache, 'get' | 'put'>,
): Promise<Uint8Array[]> {
  const nodes: [string, DirNode | FileNode][] = [['', directory()]];
  for (const [path, node] of walk(root)) {
    if (node.type !== 'file' && node.type !== 'dir')
      throw new Error(`${path}: a release has no ${node.type}`);
    if (path !== last.path) nodes.push([path, node]);
  }
  const small = await packTar(await Promise.all(nodes.map(([path, node]) => entry(folder, path, node))));
  const whole = await packTar([await entry(folder, last.path, last.node)]);
  const { size } = last.node.content;
  return [
    await compress(Buffer.concat([small.subarray(0, small.length - TAR_END), whole.subarray(0, TAR_BLOCK)])),
    await compressOnce(last.node, cache),
    await compress(whole.subarray(TAR_BLOCK + size)),
  ];
}

/** By what it holds alone: neither the app nor its version is in the key. */
async function compressOnce({ content }: FileNode, cache: Pick<Cache, 'get' | 'put'>): Promise<Uint8Array> {
  const key = sha256(JSON.stringify(['gzip', content.sha256, LEVEL, process.versions.zlib]));
  const cached = await cache.get('files', key);
  if (cached) return cached;
  const made = await compress(await content.read());
  await cache.put('files', key, made);
  return made;
}

async function entry(folder: string, path: string, node: DirNode | FileNode): Promise<TarEntry> {
  const common = { mode: node.mode, mtime: new Date(0), uid: 0, gid: 0, uname: 'root', gname: 'root' };
  if (node.type === 'dir') {
    const name = path === '' ? `${folder}/` : `${folder}/${path}/`;
    return { header: { ...common, name, size: 0, type: 'directory' } };
  }
  const body = await node.content.read();
  return { header: { ...common, name: `${folder}/${path}`, size: body.length, type: 'file' }, body };
}

async function compress(bytes: Uint8Array): Promise<Uint8Array> {
  const made = await promisify(gzip)(bytes, { level: LEVEL });
  made[GZIP_OS] = UNIX;
  return made;
}
