import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { identifyKey, identifySigner, type KeyIdentity } from '../../archive/identity.ts';
import { type Manifest, openFirmware } from '../../archive/index.ts';
import type { SquashfsReader } from '../../formats/squashfs/read/index.ts';
import type { Inventory } from '../inventory/index.ts';
import { inventoryOf, openRoot, type Settings, settingsOf } from './root.ts';

export interface InspectedFile {
  path: string;
  /** Bytes of content, and in the image. */
  size: number;
  stored: number;
}

type Named = Pick<Manifest, 'product' | 'version' | 'target' | 'arch' | 'uuid' | 'created'>;

/** All that can be told of a firmware from its file alone, on any machine. */
export interface Inspection extends Named {
  path: string;
  /** Bytes of the file. */
  size: number;
  sha256: string;
  versionFloor?: string;
  /** Bytes of the data partition of a new disk. */
  dataSize?: number;
  signer: KeyIdentity;
  trustedKeys: KeyIdentity[];
  settings: Settings;
  payloads: Manifest['payloads'];
  root: {
    compressor: string;
    blockSize: number;
    /** Regular files. */
    files: number;
    /** Bytes of content. */
    size: number;
    /** Bytes of the image that are in use. */
    stored: number;
  };
  /** Largest in the image first. */
  files: InspectedFile[];
  /** Absent in firmware of before there were inventories. */
  inventory?: Inventory;
}

/** Whoever signed: to look at a firmware, nobody has to be trusted. All that is read of it was checked against its manifest. */
export async function inspectFirmware(path: string): Promise<Inspection> {
  await using fw = await openFirmware(path, { trust: 'self' });
  const { manifest } = fw;
  const { product, version, versionFloor, target, arch, uuid, created, dataSize, payloads } = manifest;
  const root = await openRoot(fw);
  const files = filesOf(root);
  const inventory = await inventoryOf(root);
  return {
    path,
    size: fw.size,
    sha256: await fileHash(path),
    product,
    version,
    ...(versionFloor === undefined ? {} : { versionFloor }),
    target,
    arch,
    uuid,
    created,
    ...(dataSize === undefined ? {} : { dataSize }),
    signer: identifySigner(fw),
    trustedKeys: manifest.trustedKeys.map(identifyKey),
    settings: await settingsOf(root),
    payloads,
    root: {
      compressor: root.superblock.compressor,
      blockSize: root.superblock.blockSize,
      files: files.length,
      size: files.reduce((sum, { size }) => sum + size, 0),
      stored: root.superblock.used,
    },
    files,
    ...(inventory ? { inventory } : {}),
  };
}

/** A file with several names is one. */
function filesOf(root: SquashfsReader): InspectedFile[] {
  const files = new Map<number, InspectedFile>();
  for (const { type, inode, path, size, stored } of root.entries())
    if (type === 'file' && !files.has(inode)) files.set(inode, { path, size, stored });
  return [...files.values()].sort(
    (a, b) => b.stored - a.stored || b.size - a.size || (a.path < b.path ? -1 : 1),
  );
}

async function fileHash(path: string): Promise<string> {
  const hash = createHash('sha256');
  await pipeline(createReadStream(path), hash);
  return hash.digest('hex');
}
