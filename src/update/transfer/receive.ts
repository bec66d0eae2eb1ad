import { hash } from 'node:crypto';
import { type Head, parseHead } from '../../archive/head.ts';
import { readFirmware, UNPACKED_AT_ONCE } from '../../archive/read.ts';
import { unpackChunk } from '../../archive/unpack.ts';
import { FwError } from '../../errors.ts';
import type { Installation } from '../installation.ts';
import { Behind, byTurns } from '../pipeline.ts';
import type { ChunkId } from '../slot.ts';
import { SLOT_HEAD_AREA } from '../slot-head.ts';
import type { Updater } from '../updater.ts';
import { type ChunkFrame, parseChunk } from './chunk-frame.ts';
import { encodeFrame, encodeJson, FRAME, type Frame, readFrames } from './frame.ts';
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
  // One more is being written.
  const memory = byTurns(UNPACKED_AT_ONCE + 1);
  try {
    for await (const event of readFirmware(source, updater.reading, memory)) {
      if (event.type === 'manifest') installation = await updater.begin(event.head, via);
      else
        await behind.begin(async () => installation?.put(event.payload.name, event.chunkIndex, event.bytes));
    }
    await behind.ended;
  } catch (error) {
    await abandon(updater, behind);
    throw error;
  }
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
  const frames = readFrames(source, byTurns(2));
  const running = await updater.runningHead();
  send(encodeJson(FRAME.running, runningOf(updater, running)));
  const first = await frames.next();
  const head = await parseHead(await headOf(first.value ?? undefined, running), updater.reading);
  const behind = new Behind();
  let installation: Installation;
  try {
    installation = await updater.begin(head, via);
    send(encodeJson(FRAME.want, wantedOf(installation)));
    await takeChunks(frames, installation, updater, behind);
  } catch (error) {
    await abandon(updater, behind);
    throw error;
  }
  let told = 0;
  await updater.complete(installation, (done, total) => {
    if (done < total && done - told < total / PROGRESS_STEPS) return;
    told = done;
    send(encodeJson(FRAME.progress, { done, total }));
  });
}

/** One is checked and written while the next one comes, and is checked: they lie in two places by turns. */
async function takeChunks(
  frames: AsyncGenerator<Frame>,
  installation: Installation,
  updater: Updater,
  behind: Behind,
): Promise<void> {
  const awaited = new Set(installation.missing.map(({ payload, index }) => `${payload.name} ${index}`));
  while (awaited.size > 0) {
    const { value } = await frames.next();
    const frame = parseChunk(payloadOf(value ?? undefined, FRAME.chunk));
    const id = idOf(frame, installation);
    awaited.delete(`${id.payload.name} ${id.index}`);
    const content = contentOf(frame, id, updater);
    // It may be wrong while the one before is still waited for.
    content.catch(() => {});
    await behind.begin(async () => installation.put(id.payload.name, id.index, await content));
  }
  await behind.ended;
}

/** Nothing of a failed update is written later, into what may be another one's slot by then. */
async function abandon(updater: Updater, behind: Behind): Promise<void> {
  await behind.settled;
  await updater.settle();
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

function idOf({ payload: at, index }: ChunkFrame, { head }: Installation): ChunkId {
  const payload = head.manifest.payloads[at];
  const chunk = head.chunks[at]?.[index];
  if (payload && chunk) return { payload, chunk, index };
  throw new FwError('transfer-garbled', `chunk ${index} of payload ${at} does not exist`);
}

async function contentOf(
  { base, bytes }: ChunkFrame,
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
