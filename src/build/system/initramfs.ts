import { promisify } from 'node:util';
import { constants, zstdCompress } from 'node:zlib';
import { cpioBytes } from '../../formats/cpio.ts';
import { directory, file, insert } from '../tree.ts';
import type { BootModule } from './modules.ts';

const LEVEL = 19;

/**
 * The initramfs: heart as /init, the modules between kernel and root, and the list that says which of them are
 * for which hardware (docs/device.md). Compressed as a whole with zstd, which every Debian kernel unpacks.
 */
export async function buildInitramfs(
  heart: Uint8Array,
  modules: BootModule[],
  loadList: string,
  mtime: number,
): Promise<Uint8Array> {
  const root = directory();
  insert(root, 'init', file(heart, 0o755));
  for (const path of ['dev', 'proc', 'sys', 'run', 'root']) insert(root, path, directory());
  for (const { file: name, bytes } of modules) insert(root, `modules/${name}`, file(bytes));
  insert(root, 'modules/load', file(loadList));
  const archive = await cpioBytes(root, { mtime });
  // The kernel's unpacker wants a checksum-free frame with a window of at most 8 MiB, which level 19 keeps to here.
  return promisify(zstdCompress)(archive, {
    params: { [constants.ZSTD_c_compressionLevel]: LEVEL, [constants.ZSTD_c_windowLog]: 23 },
    pledgedSrcSize: archive.length,
  });
}
