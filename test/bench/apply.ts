/** What the engine makes of a disk: a whole slot filled and checked, beside the plain program that does as much in the same places. */
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type FirmwareFile, openFirmware } from '../../src/archive/open.ts';
import type { Slot } from '../../src/archive/variants.ts';
import { writeImage } from '../../src/build/image.ts';
import { aligned } from '../../src/update/aligned.ts';
import { DiskFile } from '../../src/update/disk-file.ts';
import { Behind } from '../../src/update/pipeline.ts';
import { findPlaces, type SlotPlaces } from '../../src/update/places.ts';
import { receiveFile } from '../../src/update/transfer/receive.ts';
import { Updater } from '../../src/update/updater.ts';
import { ChangingApp } from '../delta.ts';
import { temporaryFolder } from '../firmware.ts';
import { asOnCard } from './card.ts';
import { type Figure, median, seconds } from './figure.ts';

const MiB = 1024 * 1024;
const RUNS = 9;
const RUNS_ON_CARD = 3;
/** What of a firmware lies in a slot. */
const PAYLOADS = ['boot', 'root'] as const;

/** Ratios are of one turn each: what else the machine does disturbs all alike. */
export async function benchApply(): Promise<Figure[]> {
  await using folder = await temporaryFolder();
  const app = await ChangingApp.copy('hello', 'x86_64', folder.path);
  const before = await app.build('1.0.0');
  await app.changeLine();
  const after = await app.build('1.0.1');
  await using fw = await openFirmware(after, { trust: 'self' });
  const chunks = await chunksOf(fw);
  const content = contentOf(fw, chunks);
  const file = await readFile(after);
  const image = join(folder.path, 'disk.img');
  const turn = async (timed: Timed): Promise<void> => {
    // Slot b, which holds nothing, is said to run: all has to come. Slot a has its blocks of the file system's.
    await flashed(before, image);
    await timed(RAW, () => rawWrite(image, content));
    await timed(PUT, () => applied(image, fw, 'b', (updater) => put(updater, fw, chunks)));
    await flashed(before, image);
    await timed(WHOLE, () =>
      applied(image, fw, 'b', (updater) => receiveFile(inPieces(file), updater, 'ssh')),
    );
    // Slot b has them by what the plain program writes there.
    await flashed(before, image);
    await rawCopy(image, content);
    await timed(RAW_COPY, () => rawCopy(image, content));
    await timed(COPIED, () => applied(image, fw, 'a', (updater) => put(updater, fw, chunks)));
  };
  const bytes = PAYLOADS.reduce((sum, name) => sum + fw.payload(name).size, 0);
  return [
    ...figures('apply', bytes, await turns(RUNS, (work) => work(), turn)),
    ...figures('apply, as on a card', bytes, await turns(RUNS_ON_CARD, asOnCard, turn)),
  ];
}

type Timed = (name: string, work: () => Promise<number>) => Promise<void>;
type Times = ReadonlyMap<string, readonly number[]>;

async function turns(
  runs: number,
  medium: <T>(work: () => Promise<T>) => Promise<T>,
  turn: (timed: Timed) => Promise<void>,
): Promise<Times> {
  const times = new Map<string, number[]>();
  for (let run = 0; run < runs; run++)
    await turn(async (name, work) => void times.set(name, [...(times.get(name) ?? []), await medium(work)]));
  return times;
}

function figures(medium: string, bytes: number, times: Times): Figure[] {
  const figure = (name: string, than?: string): Figure[] => {
    const own = times.get(name) ?? [];
    const runs = own.length;
    const rate = median(own.map((each) => bytes / 1e6 / each));
    const ratio = median((times.get(than ?? name) ?? []).map((each, run) => each / (own[run] ?? Number.NaN)));
    const of = { name: `${medium}: ${name}, of that`, value: ratio, unit: '×', runs, goal: '≥ 0.9' };
    return [
      { name: `${medium}: ${name}`, value: rate, unit: 'MB/s', runs },
      ...(than === undefined ? [] : [of]),
    ];
  };
  return [
    ...figure(RAW),
    ...figure(PUT, RAW),
    ...figure(WHOLE, RAW),
    ...figure(RAW_COPY),
    ...figure(COPIED, RAW_COPY),
  ];
}

const RAW = 'written by the MiB, flushed, read back, SHA-256';
const PUT = 'a slot whose chunks all come';
const WHOLE = 'a slot by a whole .fw: verified, unpacked, verified';
const RAW_COPY = 'read from the other slot, and all of that';
const COPIED = 'a slot whose chunks are copied from the running one but for a few';

/** On the medium, as a device's slot is: nothing of it is still to be written when it is read past the page cache. */
async function flashed(firmware: string, image: string): Promise<void> {
  await writeImage(firmware, image);
  await using file = await open(image, 'r+');
  await file.sync();
}

async function chunksOf(fw: FirmwareFile): Promise<Map<string, Uint8Array>> {
  const chunks = new Map<string, Uint8Array>();
  for (const name of PAYLOADS)
    for await (const { index, bytes } of fw.read(name)) chunks.set(`${name} ${index}`, bytes);
  return chunks;
}

/** Of each payload, in memory from which it can be written as it is. */
function contentOf(fw: FirmwareFile, chunks: ReadonlyMap<string, Uint8Array>): Content {
  const of = (name: keyof SlotPlaces): Uint8Array => {
    const all = aligned(Math.ceil(fw.payload(name).size / MiB) * MiB);
    for (const [index, { offset }] of fw.chunks(name).entries())
      all.set(chunks.get(`${name} ${index}`) ?? new Uint8Array(), offset);
    return all;
  };
  return { boot: of('boot'), root: of('root') };
}

/** As a session gives what comes. */
async function* inPieces(bytes: Buffer): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += 64 * 1024) yield bytes.subarray(at, at + 64 * 1024);
}

async function applied(
  image: string,
  fw: FirmwareFile,
  running: Slot,
  work: (updater: Updater) => Promise<void>,
): Promise<number> {
  const disk = await DiskFile.open(image);
  try {
    const { product, target, arch, trustedKeys } = fw.manifest;
    const updater = await Updater.open({
      ...{ disk, table: 'gpt', booted: running, resetCause: 'reboot: signal 15', versionFloor: undefined },
      ...{ trustedKeys, device: { product, target, arch }, now: () => new Date() },
      oneShot: { arm: async () => {} },
      again: false,
    });
    return await seconds(() => work(updater));
  } finally {
    await disk.close();
  }
}

/** Chunks that were verified before: what that takes beside a link is another figure. */
async function put(
  updater: Updater,
  fw: FirmwareFile,
  chunks: ReadonlyMap<string, Uint8Array>,
): Promise<void> {
  const installation = await updater.begin(fw.head, 'ssh');
  const behind = new Behind();
  for (const { payload, index } of installation.missing) {
    const bytes = chunks.get(`${payload.name} ${index}`) ?? new Uint8Array();
    await behind.begin(() => installation.put(payload.name, index, bytes));
  }
  await behind.ended;
  await updater.complete(installation);
}

type Content = Record<keyof SlotPlaces, Uint8Array>;

/** The plain program, which fills slot a: one thing after the other, by the MiB. */
function rawWrite(image: string, content: Content): Promise<number> {
  return raw(image, 'a', content, async (file, name, at, offset) => {
    await file.write(content[name], at, MiB, offset);
  });
}

/** The same, which fills slot b from slot a. */
async function rawCopy(image: string, content: Content): Promise<number> {
  const { a } = await placesOf(image);
  const buffer = aligned(MiB);
  return raw(image, 'b', content, async (file, name, at, offset) => {
    await file.read(buffer, 0, MiB, a[name].offset + at);
    await file.write(buffer, 0, MiB, offset);
  });
}

/** @param fill what writes a MiB, `at` in the payload, to `offset` on the disk */
async function raw(
  image: string,
  slot: Slot,
  content: Content,
  fill: (file: FileHandle, name: keyof SlotPlaces, at: number, offset: number) => Promise<void>,
): Promise<number> {
  const { [slot]: places } = await placesOf(image);
  const buffer = aligned(MiB);
  await using file = await open(image, constants.O_RDWR | constants.O_DIRECT);
  const pieces = PAYLOADS.flatMap((name) =>
    Array.from({ length: content[name].length / MiB }, (_, index) => ({ name, at: index * MiB })),
  );
  return await seconds(async () => {
    for (const { name, at } of pieces) await fill(file, name, at, places[name].offset + at);
    await file.datasync();
    const hash = createHash('sha256');
    for (const { name, at } of pieces) {
      await file.read(buffer, 0, MiB, places[name].offset + at);
      hash.update(buffer);
    }
    hash.digest();
  });
}

async function placesOf(image: string): Promise<Record<Slot, SlotPlaces>> {
  const disk = await DiskFile.open(image);
  try {
    return findPlaces(disk, 'gpt').slots;
  } finally {
    await disk.close();
  }
}
