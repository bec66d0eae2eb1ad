import { createHash } from 'node:crypto';
import type { BlockCompressor } from './blocks.ts';
import { DATA_RAW } from './constants.ts';
import { blockLengths, decodeEntry, encodeEntry, type PackedUnit } from './entry.ts';
import { squashfsError } from './error.ts';
import { all, Gate } from './gate.ts';
import type { Unit, UnitFile } from './layout.ts';
import type { BlockCache, SquashfsOptions } from './options.ts';

/** Raise when the same content and options are stored as other bytes than before. */
const CACHE_FORMAT = 1;

/** Content held at once, bytes. A larger file is held alone. */
const CONTENT_AT_ONCE = 64 * 1024 * 1024;

export interface PackOptions {
  blockSize: number;
  compressorLevel: number;
  compressorVersion: string;
  cache: BlockCache | undefined;
  compressor: BlockCompressor;
  onProgress: SquashfsOptions['onProgress'];
}

/** Each unit's stored blocks, in order: from the cache, or else read and compressed. */
export function packUnits(units: readonly Unit[], options: PackOptions): Promise<PackedUnit[]> {
  const gate = new Gate(CONTENT_AT_ONCE);
  const total = units.reduce((sum, { size }) => sum + size, 0);
  let done = 0;
  const packed = (bytes: number): void => {
    done += bytes;
    options.onProgress?.(done, total);
  };
  return all(units.map((unit) => gate.run(unit.size, () => packUnit(unit, options, packed))));
}

async function packUnit(
  unit: Unit,
  options: PackOptions,
  tell: (bytes: number) => void,
): Promise<PackedUnit> {
  const lengths = blockLengths(unit.size, options.blockSize);
  if (unit.plain) {
    const bytes = await readUnit(unit);
    tell(unit.size);
    return { sizes: lengths.map((length) => length | DATA_RAW), bytes };
  }
  const key = cacheKey(unit, options);
  const found = await options.cache?.get(key);
  const cached = found === undefined ? undefined : decodeEntry(key, found, lengths);
  if (cached !== undefined) {
    tell(unit.size);
    return cached;
  }

  const content = await readUnit(unit);
  const zeros = new Uint8Array(options.blockSize);
  const blocks = await all(
    lengths.map(async (length, i) => {
      const block = content.subarray(i * options.blockSize, i * options.blockSize + length);
      // Only files can have holes: a fragment block is always stored.
      const hole = unit.kind === 'file' && Buffer.compare(block, zeros.subarray(0, length)) === 0;
      const stored = hole ? undefined : await options.compressor.store(block);
      tell(length);
      return stored;
    }),
  );
  const sizes = blocks.map((block) =>
    block === undefined ? 0 : block.bytes.length | (block.raw ? DATA_RAW : 0),
  );
  const entry = encodeEntry(
    key,
    sizes,
    blocks.flatMap((block) => (block === undefined ? [] : [block.bytes])),
  );
  await options.cache?.put(key, entry);
  const packed = decodeEntry(key, entry, lengths);
  if (packed === undefined) throw new Error(`squashfs: an entry that cannot be read back, for ${key}`);
  return packed;
}

/** Made of all that the stored bytes depend on. */
function cacheKey(unit: Unit, { blockSize, compressorLevel, compressorVersion }: PackOptions): string {
  const [only] = unit.files;
  const content =
    unit.kind === 'file' && only !== undefined ? only.content.sha256 : `fragment-${hashOfFiles(unit.files)}`;
  const version = compressorVersion.replaceAll(/[^0-9A-Za-z.]/g, '_');
  return `squashfs-${CACHE_FORMAT}-zstd${version}-l${compressorLevel}-b${blockSize}-${content}`;
}

function hashOfFiles(files: readonly UnitFile[]): string {
  const hash = createHash('sha256');
  for (const { content } of files) hash.update(`${content.sha256} ${content.size}\n`);
  return hash.digest('hex');
}

async function readUnit({ files }: Unit): Promise<Uint8Array> {
  const contents: Uint8Array[] = [];
  for (const file of files) contents.push(await readFile(file));
  const [only] = contents;
  return contents.length === 1 && only !== undefined ? only : Buffer.concat(contents);
}

/** A file that changed after it was hashed would be kept in the cache under the wrong content's name. */
async function readFile({ path, content }: UnitFile): Promise<Uint8Array> {
  const bytes = await content.read();
  if (bytes.length !== content.size || createHash('sha256').update(bytes).digest('hex') !== content.sha256)
    throw squashfsError('the content that was read is not the content that was announced', {
      where: path,
      expected: `${content.size} bytes with the SHA-256 ${content.sha256}`,
      remedy: 'Build again, and let nothing write to the file meanwhile.',
    });
  return bytes;
}
