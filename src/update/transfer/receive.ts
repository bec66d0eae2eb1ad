import { hash } from 'node:crypto';
import { type Head, parseHead } from '../../archive/head.ts';
import { readFirmware } from '../../archive/read.ts';
import { unpackChunk } from '../../archive/unpack.ts';
import { FwError } from '../../errors.ts';
import type { Installation } from '../installation.ts';
import type { ChunkId } from '../slot.ts';
import { SLOT_HEAD_AREA } from '../slot-head.ts';
import type { Updater } from '../updater.ts';
import { type ChunkFrame, parseChunk } from './chunk-frame.ts';
import { byTurns, encodeFrame, encodeJson, FRAME, type Frame, readFrames } from './frame.ts';
import { type Running, rangesOf, type Wanted } from './messages.ts';
import { applyPatch } from './patch.ts';

/** What is told while a slot is read back: chunks. */
export type OnProgress = (done: number, total: number) => void;

/**
 * Takes in a whole .fw, as `ssh HOST update < app.fw` sends it. Afterwards it is staged.
 * @throws FwError with the codes of docs/fw-format.md and of the engine
 */
export async function receiveFile(
  source: AsyncIterable<Uint8Array>,
  updater: Updater,
  via: string,
  onProgress?: OnProgress,
): Promise<void> {
  let installation: Installation | undefined;
  const behind = new Behind();
  for await (const event of readFirmware(source, updater.reading)) {
    if (event.type === 'manifest') installation = await updater.begin(event.head, via);
    else await behind.begin(installation?.put(event.payload.name, event.chunkIndex, event.bytes));
  }
  await behind.ended;
  if (!installation) throw new Error('a firmware without a manifest was read to its end');
  await updater.complete(installation, onProgress);
}

/**
 * Takes in what the slot lacks, from a sender that asks first. Afterwards it is staged.
 * @param send what goes back to the sender
 * @throws as `receiveFile`; `transfer-garbled`
 */
export async function receiveFrames(
  source: AsyncIterable<Uint8Array>,
  updater: Updater,
  via: string,
  send: (bytes: Uint8Array) => void,
): Promise<void> {
  const frames = readFrames(source, byTurns());
  const running = await updater.runningHead();
  send(encodeJson(FRAME.running, runningOf(updater, running)));
  const first = await frames.next();
  const head = await parseHead(await headOf(first.value ?? undefined, running), updater.reading);
  const installation = await updater.begin(head, via);
  send(encodeJson(FRAME.want, wantedOf(installation)));
  const behind = new Behind();
  while (installation.missing.length > 0) {
    const { value } = await frames.next();
    const { id, bytes } = await unpacked(
      parseChunk(payloadOf(value ?? undefined, FRAME.chunk)),
      installation,
      updater,
    );
    await behind.begin(installation.put(id.payload.name, id.index, bytes));
  }
  await behind.ended;
  let told = 0;
  await updater.complete(installation, (done, total) => {
    if (done < total && done - told < total / PROGRESS_STEPS) return;
    told = done;
    send(encodeJson(FRAME.progress, { done, total }));
  });
}

/** How often the read-back is told of. */
const PROGRESS_STEPS = 20;

/** The last word, when the machine goes down for the trial. */
export const REBOOTING = encodeFrame(FRAME.rebooting, new Uint8Array());

function payloadOf(frame: Frame | undefined, type: number): Buffer {
  if (frame?.type === type) return frame.payload;
  throw frame
    ? new FwError('transfer-garbled', `a frame of type ${frame.type} came where one of type ${type} was due`)
    : new FwError('transfer-ended', 'the connection ended before all had come', {
        remedy: 'Send the firmware again: what is there already is not sent twice.',
      });
}

function runningOf(updater: Updater, head: Head | undefined): Running {
  const { uuid = '', version = '' } = updater.running ?? {};
  return { uuid, version, ...(head && { head: hash('sha256', head.bytes) }) };
}

/** Whole, or made from the head of what runs; that it is what was signed is seen by its signature. */
async function headOf(frame: Frame | undefined, running: Head | undefined): Promise<Uint8Array> {
  // Parts of a head are kept for as long as the update takes.
  if (frame?.type !== FRAME.headPatch || !running) return Buffer.from(payloadOf(frame, FRAME.head));
  return applyPatch(frame.payload, running.bytes, SLOT_HEAD_AREA).catch((cause: unknown) => {
    throw new FwError('transfer-garbled', 'a difference of the head that cannot be applied', { cause });
  });
}

function wantedOf(installation: Installation): Wanted {
  const missing: Wanted['missing'] = {};
  for (const { name } of installation.head.manifest.payloads) {
    const indexes = installation.missing
      .filter(({ payload }) => payload.name === name)
      .map(({ index }) => index);
    if (indexes.length > 0) missing[name] = rangesOf(indexes);
  }
  return { missing };
}

/** Lets a chunk be written while the next one comes, and no more than one: their bytes lie in two places by turns. */
class Behind {
  #writing: Promise<unknown> = Promise.resolve();

  /** Resolves when the one before is written. */
  async begin(writing: Promise<unknown> | undefined): Promise<void> {
    // It may fail while the one before is still waited for.
    writing?.catch(() => {});
    await this.#writing;
    this.#writing = writing ?? this.#writing;
  }

  get ended(): Promise<unknown> {
    return this.#writing;
  }
}

async function unpacked(
  { payload: at, index, base, bytes }: ChunkFrame,
  installation: Installation,
  updater: Updater,
): Promise<{ id: ChunkId; bytes: Uint8Array }> {
  const { manifest, chunks } = installation.head;
  const payload = manifest.payloads[at];
  const chunk = chunks[at]?.[index];
  if (!payload || !chunk)
    throw new FwError('transfer-garbled', `chunk ${index} of payload ${at} does not exist`);
  return {
    id: { payload, chunk, index },
    bytes: await contentOf(bytes, base, { payload, chunk, index }, updater),
  };
}

async function contentOf(
  bytes: Buffer,
  base: ChunkFrame['base'],
  { payload, chunk, index }: ChunkId,
  updater: Updater,
): Promise<Uint8Array> {
  if (!base) return unpackChunk(bytes, payload, chunk, index);
  const patched = await applyPatch(bytes, await updater.readRunning(payload.name, base), chunk.size);
  if (hash('sha256', patched, 'buffer').equals(chunk.sha256)) return patched;
  throw new FwError(
    'patch-does-not-fit',
    `a difference of payload ${payload.name} does not give chunk ${index}`,
    {
      where: `payload/${payload.name}, chunk ${index}`,
      expected: 'a difference to the firmware that runs here',
      remedy: 'Send the whole file: ssh HOST update < FILE.fw.',
    },
  );
}
