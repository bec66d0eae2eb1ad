import { identifySigner, type KeyIdentity } from '../../archive/identity.ts';
import { type FirmwareFile, openFirmware, type Trust } from '../../archive/index.ts';
import { FwError } from '../../errors.ts';
import type { OnProgress } from '../progress.ts';
import { openRoot, textOf } from './root.ts';

export interface VerifyOptions {
  /** Whose signature counts. */
  trust: Trust;
  onProgress?: OnProgress;
}

export interface Verified {
  path: string;
  /** Bytes of the file; each was read and checked. */
  size: number;
  product: string;
  version: string;
  target: string;
  uuid: string;
  signer: KeyIdentity;
  /** Bytes as they go into the slot. */
  payloads: { name: string; size: number; chunks: number; slotSize?: number }[];
  /** What was unpacked of the root: regular files, and bytes of content. */
  root: { files: number; size: number };
  seconds: number;
}

const UUID_FILE = '/etc/hearth/uuid';
/** What a device cannot start without. */
const NEEDED = ['boot', 'root'];
/** Eight times the largest payload there can be. More would take this computer hours; no root holds it. */
const MAX_CONTENT = 64 * 1024 ** 3;

/**
 * Checks all that a device checks before it starts a firmware, and that every file of its root can be unpacked.
 * @throws FwError with the codes of `docs/fw-format.md`, `bad-squashfs`, `fw-root-uuid`, `fw-root-too-much`: the first fault
 */
export async function verifyFirmware(path: string, { trust, onProgress }: VerifyOptions): Promise<Verified> {
  const tell = onProgress ?? (() => {});
  const start = performance.now();
  await using fw = await openFirmware(path, { trust });
  const { product, version, target, uuid, payloads } = fw.manifest;
  for (const name of NEEDED) fw.payload(name);
  for (const { name, size } of payloads) {
    const step = `checking the payload ${name}`;
    tell({ step, bytes: { done: 0, total: size } });
    for await (const { offset, bytes } of fw.read(name))
      tell({ step, bytes: { done: offset + bytes.length, total: size } });
  }
  const root = await verifyRoot(fw, tell);
  return {
    path,
    size: fw.size,
    product,
    version,
    target,
    uuid,
    signer: identifySigner(fw),
    payloads: payloads.map(({ name, size, chunks, slotSize }) => ({
      name,
      size,
      chunks,
      ...(slotSize === undefined ? {} : { slotSize }),
    })),
    root,
    seconds: (performance.now() - start) / 1000,
  };
}

/** A root that was signed and is not sound was made by a broken program: no chunk's hash shows that. */
async function verifyRoot(fw: FirmwareFile, tell: OnProgress): Promise<Verified['root']> {
  const root = await openRoot(fw);
  const found = (await textOf(root, UUID_FILE))?.trim();
  const { uuid } = fw.manifest;
  if (found !== uuid) {
    throw new FwError(
      'fw-root-uuid',
      `the root ${found ? `says it is ${found}` : 'does not say which it is'}`,
      {
        where: `payload/root, ${UUID_FILE}`,
        expected: `${uuid}, as the manifest says: a device does not start another`,
        remedy: 'Build the firmware again.',
      },
    );
  }
  const files = new Map(
    [...root.entries()].filter(({ type }) => type === 'file').map((each) => [each.inode, each]),
  );
  const total = [...files.values()].reduce((sum, { size }) => sum + size, 0);
  if (total > MAX_CONTENT) {
    throw new FwError('fw-root-too-much', `the files of the root would have ${total} bytes`, {
      where: 'payload/root',
      expected: `at most ${MAX_CONTENT} bytes`,
      remedy: 'Build the firmware again.',
    });
  }
  let done = 0;
  for (const { path } of files.values()) {
    for await (const block of root.blocks(path)) {
      done += block.length;
      tell({ step: 'unpacking the root', bytes: { done, total } });
    }
  }
  return { files: files.size, size: done };
}
