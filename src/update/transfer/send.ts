import { hash } from 'node:crypto';
import type { Head } from '../../archive/head.ts';
import type { FirmwareFile } from '../../archive/open.ts';
import { FwError } from '../../errors.ts';
import { ahead } from '../pipeline.ts';
import { type Base, chunkHeader } from './chunk-frame.ts';
import { encodeFrame, FRAME, type Frame, readFrames } from './frame.ts';
import {
  type Progress,
  parseProgress,
  parseRefusal,
  parseRunning,
  parseWanted,
  type Running,
  type Wanted,
} from './messages.ts';
import { baseOf, makePatch } from './patch.ts';

/** Both ways of a link to one device. */
export interface Channel {
  /** Resolves when more may be written. */
  write(bytes: Uint8Array): Promise<void>;
  incoming: AsyncIterable<Uint8Array>;
}

export interface SendOptions {
  /** Opens the firmware that runs on the device, if it is at hand: differences to it are sent then. */
  findOld?(uuid: string): Promise<FirmwareFile | undefined>;
  onWanted?(wanted: Wanted, bytes: number): void;
  /** Bytes of chunks sent, of those that are to be sent: before they are made small. */
  onSent?(done: number, total: number): void;
  onProgress?(progress: Progress): void;
}

export interface Sent {
  /** Bytes that went to the device, frames and all. */
  sent: number;
  /** Bytes of the whole file. */
  fileSize: number;
  /** The firmware that ran when the update began. */
  from: Running;
}

/**
 * Sends a firmware to a device, which then reboots into it.
 * @throws FwError as the device refused it; `transfer-garbled`, `transfer-ended`
 */
export async function sendUpdate(
  fw: FirmwareFile,
  channel: Channel,
  options: SendOptions = {},
): Promise<Sent> {
  let sent = 0;
  const write = async (...pieces: Uint8Array[]): Promise<void> => {
    for (const bytes of pieces) {
      sent += bytes.length;
      await channel.write(bytes);
    }
  };
  const answers = readFrames(channel.incoming);
  const running = parseRunning(answerOf((await answers.next()).value ?? undefined, FRAME.running));
  const old = await options.findOld?.(running.uuid);
  try {
    await write(await headFrame(fw, old, running));
    const wanted = parseWanted(answerOf((await answers.next()).value ?? undefined, FRAME.want));
    const chunks = chunksOf(fw.head, wanted);
    const total = chunks.reduce((sum, { size }) => sum + size, 0);
    options.onWanted?.(wanted, total);
    // What comes while we send can only be a refusal or the connection's end: it must not wait for the end of a slow link.
    const next = answers.next();
    const spoken = next.then(
      () => true,
      () => true,
    );
    let done = 0;
    // What is to be sent next is read, and made small, while the link is busy with what is before it.
    for await (const { item, made } of ahead(chunks, AHEAD, (chunk) => frameOf(fw, old, chunk))) {
      const written = write(...made).then(
        () => false,
        // A device that refuses reads no more. What it said matters, not that we could not go on.
        () => spoken,
      );
      if (await Promise.race([written, spoken])) break;
      done += item.size;
      options.onSent?.(done, total);
    }
    for (let { value } = await next; ; { value } = await answers.next()) {
      if (value?.type === FRAME.progress) options.onProgress?.(parseProgress(value.payload));
      else {
        answerOf(value ?? undefined, FRAME.rebooting);
        return { sent, fileSize: fw.size, from: running };
      }
    }
  } finally {
    await old?.close();
  }
}

/** The difference to the very head that the device has, where we have it too; most of a head are hashes of what stays. */
async function headFrame(
  { head }: FirmwareFile,
  old: FirmwareFile | undefined,
  running: Running,
): Promise<Uint8Array> {
  if (!old || running.head !== hash('sha256', old.head.bytes)) return encodeFrame(FRAME.head, head.bytes);
  return encodeFrame(FRAME.headPatch, await makePatch(head.bytes, old.head.bytes));
}

/** Differences are made by as many threads as Node has for such work. */
const AHEAD = 4;

interface Wish {
  name: string;
  payload: number;
  index: number;
  size: number;
}

function chunksOf({ manifest, chunks }: Head, { missing }: Wanted): Wish[] {
  return manifest.payloads.flatMap(({ name }, payload) =>
    (missing[name] ?? []).flatMap(([first, count]) =>
      Array.from({ length: count }, (_, at) => {
        const index = first + at;
        const chunk = chunks[payload]?.[index];
        if (!chunk)
          throw new FwError(
            'transfer-garbled',
            `the device asks for chunk ${index} of ${name}, which does not exist`,
          );
        return { name, payload, index, size: chunk.size };
      }),
    ),
  );
}

/** The smaller of the chunk as it is stored and its difference to what runs there: what goes before it, and its bytes. */
async function frameOf(
  fw: FirmwareFile,
  old: FirmwareFile | undefined,
  { name, payload, index }: Wish,
): Promise<Uint8Array[]> {
  const stored = await fw.readStored(name, index);
  const patch = old && (await patchOf(fw, old, name, index));
  const sent = patch && patch.bytes.length < stored.length ? patch : { base: undefined, bytes: stored };
  return [chunkHeader({ payload, index, ...sent }), sent.bytes];
}

async function patchOf(
  fw: FirmwareFile,
  old: FirmwareFile,
  name: string,
  index: number,
): Promise<{ base: Base; bytes: Uint8Array } | undefined> {
  const base = hasPayload(old, name) ? baseOf(index, fw.chunks(name), old.chunks(name)) : undefined;
  if (!base) return undefined;
  const there = await old.readRange(name, base).catch(damaged);
  if (!there) return undefined;
  const { bytes } = await fw.readChunk(name, index);
  return { base, bytes: await makePatch(bytes, there) };
}

/** What was kept of the old firmware is only good for saving bytes: without it more is sent. */
function damaged(error: unknown): undefined {
  if (!(error instanceof FwError)) throw error;
}

function hasPayload(fw: FirmwareFile, name: string): boolean {
  return fw.manifest.payloads.some((payload) => payload.name === name);
}

function answerOf(frame: Frame | undefined, type: number): Buffer {
  if (frame?.type === type) return frame.payload;
  if (frame?.type === FRAME.refused) throw parseRefusal(frame.payload);
  throw frame
    ? new FwError(
        'transfer-garbled',
        `the device answers with a frame of type ${frame.type} where one of type ${type} was due`,
      )
    : new FwError('transfer-ended', 'the connection to the device has ended', {
        remedy: 'Try again: what is there already is not sent twice.',
      });
}
