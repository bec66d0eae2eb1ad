/** What the engine makes of a disk: a whole slot filled and checked, beside raw writes and reads of the same bytes on the same disk. */
import { createHash } from 'node:crypto';
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { type FirmwareFile, openFirmware } from '../../src/archive/open.ts';
import { writeImage } from '../../src/build/image.ts';
import { DiskFile } from '../../src/update/disk-file.ts';
import { Behind } from '../../src/update/pipeline.ts';
import { Updater } from '../../src/update/updater.ts';
import { ChangingApp } from '../delta.ts';
import { temporaryFolder } from '../firmware.ts';
import { type Figure, median, seconds } from './figure.ts';

const MiB = 1024 * 1024;
const RUNS = 5;

/** Ratios are of one turn each: what else the machine does disturbs all alike. */
export async function benchApply(): Promise<Figure[]> {
  await using folder = await temporaryFolder();
  const app = await ChangingApp.copy('hello', 'x86_64', folder.path);
  const before = await app.build('1.0.0');
  await app.changeLine();
  const after = await app.build('1.0.1');
  await using fw = await openFirmware(after, { trust: 'self' });
  const chunks = await chunksOf(fw);
  const bytes = ['boot', 'root'].reduce((sum, name) => sum + fw.payload(name).size, 0);
  const [raw, copied, sent]: [number[], number[], number[]] = [[], [], []];
  for (let run = 0; run < RUNS; run++) {
    const image = join(folder.path, 'disk.img');
    await flashed(before, image);
    raw.push(await rawSeconds(join(folder.path, 'raw'), bytes));
    copied.push(await applySeconds(image, fw, chunks, 'a'));
    // On a disk whose other slot, which holds nothing, is said to run.
    await flashed(before, image);
    sent.push(await applySeconds(image, fw, chunks, 'b'));
  }
  const figure = (name: string, times: number[]): Figure[] => [
    {
      name: `apply: ${name}`,
      value: median(times.map((each) => bytes / 1e6 / each)),
      unit: 'MB/s',
      runs: RUNS,
    },
    {
      ...{ name: `apply: ${name}, of raw`, unit: '×', runs: RUNS, goal: '≥ 0.9' },
      value: median(times.map((each, run) => (raw[run] ?? 0) / each)),
    },
  ];
  return [
    ...figure('raw writes of 1 MiB, flush, read back, SHA-256', raw).slice(0, 1),
    ...figure('a slot whose chunks are copied from the running one but for a few', copied),
    ...figure('a slot whose chunks all come', sent),
  ];
}

/** On the medium, as a device's slot is: nothing of it is still to be written when it is read past the page cache. */
async function flashed(firmware: string, image: string): Promise<void> {
  await writeImage(firmware, image);
  await using file = await open(image, 'r+');
  await file.sync();
}

/** What comes over a link, verified, is another figure. */
async function chunksOf(fw: FirmwareFile): Promise<Map<string, Uint8Array>> {
  const chunks = new Map<string, Uint8Array>();
  for (const name of ['boot', 'root'])
    for await (const { index, bytes } of fw.read(name)) chunks.set(`${name} ${index}`, bytes);
  return chunks;
}

/** @param running whose content is known only where it is slot a: there the image's firmware lies */
async function applySeconds(
  image: string,
  fw: FirmwareFile,
  chunks: ReadonlyMap<string, Uint8Array>,
  running: 'a' | 'b',
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
    return await seconds(async () => {
      const installation = await updater.begin(fw.head, 'ssh');
      const behind = new Behind();
      for (const { payload, index } of installation.missing) {
        const bytes = chunks.get(`${payload.name} ${index}`) ?? new Uint8Array();
        await behind.begin(installation.put(payload.name, index, bytes));
      }
      await behind.ended;
      await updater.complete(installation);
    });
  } finally {
    await disk.close();
  }
}

declare const WebAssembly: { Memory: new (of: { initial: number }) => { buffer: ArrayBuffer } };

/** The simplest program that would do: nothing at the same time. */
async function rawSeconds(path: string, bytes: number): Promise<number> {
  const buffer = new Uint8Array(new WebAssembly.Memory({ initial: 16 }).buffer);
  for (let at = 0; at < buffer.length; at++) buffer[at] = (at * 7919) & 0xff;
  const file = await openDirect(path);
  try {
    await file.truncate(Math.ceil(bytes / MiB) * MiB);
    return await seconds(async () => {
      for (let at = 0; at < bytes; at += MiB) await file.write(buffer, 0, MiB, at);
      await file.datasync();
      const hash = createHash('sha256');
      for (let at = 0; at < bytes; at += MiB) {
        await file.read(buffer, 0, MiB, at);
        hash.update(buffer);
      }
      hash.digest();
    });
  } finally {
    await file.close();
  }
}

async function openDirect(path: string): Promise<FileHandle> {
  return open(path, constants.O_RDWR | constants.O_CREAT | constants.O_DIRECT);
}
