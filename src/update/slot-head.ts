import { hash } from 'node:crypto';
import { FwError } from '../errors.ts';
import type { Extent } from '../formats/bytes.ts';
import { viewOf } from '../formats/bytes.ts';
import type { Disk } from './disk.ts';
import { MiB } from './layout.ts';

/**
 * The last MiB of a root slot holds the head of the firmware that is in it: manifest, signature and chunk table, as they lie in
 * the .fw. By it the device knows what it has, can check a slot whole at any time, and can go on with one that is half written.
 * Eight bytes of magic, the head's length as uint32 (little endian), its SHA-256, the head.
 */
export const SLOT_HEAD_AREA = 1 * MiB;
const MAGIC = 'HEARTHSH';
const PREFIX = 44;

/** Where it lies, on the disk. */
export function slotHeadExtent(root: Extent): Extent {
  return { offset: root.offset + root.length - SLOT_HEAD_AREA, length: SLOT_HEAD_AREA };
}

/** @throws FwError `fw-head-too-large` */
export function encodeSlotHead(head: Uint8Array): Uint8Array {
  if (PREFIX + head.length > SLOT_HEAD_AREA) {
    throw new FwError('fw-head-too-large', `manifest and chunk table take ${head.length} bytes`, {
      where: 'manifest.json, chunks',
      expected: `at most ${SLOT_HEAD_AREA - PREFIX} bytes`,
    });
  }
  const bytes = Buffer.alloc(PREFIX + head.length);
  bytes.write(MAGIC, 'latin1');
  bytes.writeUInt32LE(head.length, MAGIC.length);
  hash('sha256', head, 'buffer').copy(bytes, MAGIC.length + 4);
  bytes.set(head, PREFIX);
  return bytes;
}

/** The head of what is, or is being, written to a slot; undefined where there is none, or a torn one. Not yet verified. */
export async function readSlotHead(disk: Disk, root: Extent): Promise<Uint8Array | undefined> {
  const { offset } = slotHeadExtent(root);
  const prefix = await disk.read(offset, PREFIX);
  const length = viewOf(prefix).getUint32(MAGIC.length, true);
  const magic = Buffer.from(prefix.subarray(0, MAGIC.length)).toString('latin1');
  if (magic !== MAGIC || PREFIX + length > SLOT_HEAD_AREA) return undefined;
  const head = await disk.read(offset + PREFIX, length);
  return hash('sha256', head, 'buffer').equals(prefix.subarray(MAGIC.length + 4)) ? head : undefined;
}
