import { type FileHandle, open } from 'node:fs/promises';
import { identifySigner, type KeyIdentity } from '../archive/identity.ts';
import { type FirmwareFile, openFirmware } from '../archive/index.ts';
import type { Piece } from '../formats/bytes.ts';
import { flashedEnv } from '../update/env.ts';
import { ENV, MiB } from '../update/layout.ts';
import { encodeSlotHead, slotHeadExtent } from '../update/slot-head.ts';
import { piDisk } from './disk/pi.ts';
import { type DiskPlan, planDisk } from './disk/plan.ts';
import { uefiDisk } from './disk/uefi.ts';
import type { OnProgress } from './progress.ts';
import type { Target } from './target.ts';
import { loadTarget } from './targets.ts';
import { diskError, writeWholeFile } from './whole-file.ts';

export interface ImageResult {
  path: string;
  /** Bytes of the disk; the file is sparse. */
  size: number;
  /** Bytes that are not holes. */
  written: number;
  uuid: string;
  version: string;
  target: string;
  /** Who signed the firmware. It was checked that somebody did, not who: to make an image, nobody has to be trusted. */
  signer: Pick<KeyIdentity, 'fingerprint' | 'comment'>;
}

/** What an older firmware, which does not say, gets as its data partition. */
const DEFAULT_DATA_SIZE = 64 * MiB;

export interface ImageOptions {
  /** Of the whole disk, bytes; the least that fits when left out. */
  size?: number;
  /** Write onto an existing image of that size: the data partition stays as it is. */
  keepData?: boolean;
  onProgress?: OnProgress;
}

/**
 * Makes the image of a whole disk from a firmware: partition table, boot files, environment, slot a. Slot b and
 * the data partition are empty; the device makes its file system at the first boot. Same firmware, same image.
 */
export async function writeImage(
  firmware: string,
  path: string,
  { size, keepData = false, onProgress = () => {} }: ImageOptions = {},
): Promise<ImageResult> {
  const fw = await openFirmware(firmware, { trust: 'self' });
  try {
    const { manifest } = fw;
    const { target } = await loadTarget(manifest.target);
    const dataSize = manifest.dataSize ?? DEFAULT_DATA_SIZE;
    const plan = planDisk({ target, dataSize, ...(size === undefined ? {} : { diskSize: size }) });
    const pieces = [...(await bootPieces(fw, target, plan)), ...envPieces(fw), headPiece(fw, plan)];
    const fill = (file: FileHandle): Promise<number> => fillDisk(file, plan, pieces, fw, onProgress);
    const written = keepData ? await writeOnto(path, fill) : await writeAnew(path, plan.size, fill);
    const { uuid, version } = manifest;
    const { fingerprint, comment } = identifySigner(fw);
    const signer = { fingerprint, comment };
    return { path, size: plan.size, written, uuid, version, target: target.name, signer };
  } finally {
    await fw.close();
  }
}

async function bootPieces(fw: FirmwareFile, target: Target, plan: DiskPlan): Promise<Piece[]> {
  const { uuid, created } = fw.manifest;
  const time = new Date(created);
  const [loader, boot] = [await payloadBytes(fw, 'loader'), await payloadBytes(fw, 'boot')];
  return target.boot.family === 'uefi'
    ? uefiDisk(plan, target.boot, { loader, uki: boot, uuid, time })
    : piDisk(plan, { bootcode: loader, boot, uuid, time });
}

function envPieces(fw: FirmwareFile): Piece[] {
  const copies = flashedEnv(fw.manifest);
  return copies.map((bytes, index) => ({ offset: ENV.offsets[index] ?? 0, bytes }));
}

/** Slot a says what it holds, as after an update: the first one already finds there what need not be sent. */
function headPiece(fw: FirmwareFile, plan: DiskPlan): Piece {
  const { offset } = slotHeadExtent(plan.root[0]);
  return { offset, bytes: encodeSlotHead(fw.head.bytes) };
}

async function payloadBytes(fw: FirmwareFile, name: string): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const { bytes } of fw.read(name)) chunks.push(bytes);
  return Buffer.concat(chunks);
}

type Fill = (file: FileHandle) => Promise<number>;

function writeAnew(path: string, size: number, fill: Fill): Promise<number> {
  return writeWholeFile(path, async (file) => {
    await file.truncate(size);
    return fill(file);
  });
}

async function writeOnto(path: string, fill: Fill): Promise<number> {
  try {
    const file = await open(path, 'r+');
    try {
      return await fill(file);
    } finally {
      await file.close();
    }
  } catch (error) {
    throw diskError(error, path);
  }
}

async function fillDisk(
  file: FileHandle,
  plan: DiskPlan,
  pieces: Piece[],
  fw: FirmwareFile,
  tell: OnProgress,
): Promise<number> {
  const root = fw.manifest.payloads.find(({ name }) => name === 'root');
  const total = pieces.reduce((sum, { bytes }) => sum + bytes.length, root?.size ?? 0);
  let written = 0;
  const put = async (offset: number, bytes: Uint8Array): Promise<void> => {
    await writeAt(file, offset, bytes);
    written += bytes.length;
    tell({ step: 'writing the disk', bytes: { done: written, total } });
  };
  for (const { offset, bytes } of pieces) await put(offset, bytes);
  for await (const { offset, bytes } of fw.read('root')) await put(plan.root[0].offset + offset, bytes);
  return written;
}

async function writeAt(file: FileHandle, offset: number, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    at += (await file.write(bytes, at, bytes.length - at, offset + at)).bytesWritten;
  }
}
