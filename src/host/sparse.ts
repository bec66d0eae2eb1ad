import { constants, copyFile, type FileHandle, open, rm } from 'node:fs/promises';

const CHUNK = 1024 * 1024;

/**
 * Copies a disk image without filling its holes: as a clone that shares its blocks where the file system can do
 * that, otherwise piece by piece, leaving out what is zero.
 */
export async function copySparse(source: string, target: string): Promise<void> {
  await rm(target, { force: true });
  const cloned = await copyFile(source, target, constants.COPYFILE_FICLONE_FORCE).then(
    () => true,
    // Not supported by this file system, or the two lie on different ones.
    () => false,
  );
  if (!cloned) await copyPieces(source, target);
}

async function copyPieces(source: string, target: string): Promise<void> {
  await using from = await open(source, 'r');
  await using to = await open(target, 'wx');
  const { size } = await from.stat();
  const buffer = Buffer.alloc(CHUNK);
  const zeros = Buffer.alloc(CHUNK);
  for (let offset = 0; offset < size; ) {
    const { bytesRead } = await from.read(buffer, 0, CHUNK, offset);
    if (bytesRead === 0) break;
    const piece = buffer.subarray(0, bytesRead);
    if (!piece.equals(zeros.subarray(0, bytesRead))) await writeAll(to, piece, offset);
    offset += bytesRead;
  }
  await to.truncate(size);
}

async function writeAll(file: FileHandle, bytes: Uint8Array, offset: number): Promise<void> {
  for (let done = 0; done < bytes.length; ) {
    const { bytesWritten } = await file.write(bytes, done, bytes.length - done, offset + done);
    done += bytesWritten;
  }
}
