import {
  closeSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { build, newSigner, noise, sampleInput } from '../archive/test-firmware.ts';
import { planDisk } from './disk/plan.ts';
import { type EmulatedDisk, emulatedDisk } from './emulated-disk.ts';
import { loadTarget } from './targets.ts';

const SECTOR = 512;
const UUIDS = ['01234567-89ab-cdef-0123-456789abcdef', 'fedcba98-7654-3210-fedc-ba9876543210'] as const;

let dir: string;
let folder: string;
/** A byte of the root, and one of /data. */
let places: { root: number; data: number };
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'hearth-emulated-'));
  const signer = newSigner();
  for (const uuid of UUIDS) {
    const input = sampleInput(signer);
    const payloads = input.payloads.map((payload) =>
      payload.name === 'root' ? { ...payload, pieces: [noise(SECTOR, uuid)] } : payload,
    );
    const loader = { name: 'loader', pieces: [noise(SECTOR)], storage: { encoding: 'raw' } } as const;
    writeFileSync(firmware(uuid), await build({ ...input, uuid, payloads: [loader, ...payloads] }, signer));
  }
  const { target } = await loadTarget('rpi3');
  const plan = planDisk({ target, dataSize: 64 * 1024 ** 2 });
  places = { root: plan.root[0].offset, data: plan.data.offset + 1024 ** 2 };
});
beforeEach(() => {
  folder = mkdtempSync(join(dir, 'run-'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** One run: the disk is let go at its end. */
async function ran(...args: Parameters<typeof emulatedDisk>): Promise<EmulatedDisk> {
  using disk = await emulatedDisk(...args);
  return disk;
}

function firmware(uuid: string): string {
  return join(dir, `${uuid}.fw`);
}

function sector(path: string, offset: number): Buffer {
  const fd = openSync(path, 'r');
  const bytes = Buffer.alloc(SECTOR);
  readSync(fd, bytes, 0, SECTOR, offset);
  closeSync(fd);
  return bytes;
}

/** As the running device would. */
function store(path: string, text: string): void {
  const fd = openSync(path, 'r+');
  writeSync(fd, Buffer.from(text), 0, text.length, places.data);
  closeSync(fd);
}

test('the first run makes the disk, the next one finds it as it was', async () => {
  const made = await ran(firmware(UUIDS[0]), folder);
  expect([made.state, made.path, made.target.name]).toEqual([
    'made',
    join(folder, 'hello-rpi3', 'disk.img'),
    'rpi3',
  ]);
  expect(sector(made.path, places.root)).toEqual(noise(SECTOR, UUIDS[0]));
  const { size, blocks } = statSync(made.path);
  // QEMU takes a power of two for an SD card; nobody's disk shall lose 4 GiB by it.
  expect([size, blocks * SECTOR < 32 * 1024 ** 2]).toEqual([4 * 1024 ** 3, true]);
  store(made.path, 'kept');
  expect((await ran(firmware(UUIDS[0]), folder)).state).toBe('kept');
  expect(sector(made.path, places.data).toString('latin1', 0, 4)).toBe('kept');
});

test('another firmware takes slot a and leaves /data alone', async () => {
  const { path } = await ran(firmware(UUIDS[0]), folder);
  store(path, 'kept');
  expect((await ran(firmware(UUIDS[1]), folder)).state).toBe('flashed');
  expect(sector(path, places.root)).toEqual(noise(SECTOR, UUIDS[1]));
  expect(sector(path, places.data).toString('latin1', 0, 4)).toBe('kept');
});

test('--fresh begins with an empty disk', async () => {
  const { path } = await ran(firmware(UUIDS[0]), folder);
  store(path, 'kept');
  expect((await ran(firmware(UUIDS[0]), folder, { fresh: true })).state).toBe('made');
  expect(sector(path, places.data)).toEqual(Buffer.alloc(SECTOR));
});

test('a flash that was cut off is done again, also for the firmware that was there before', async () => {
  const { path } = await ran(firmware(UUIDS[0]), folder);
  // What a kill in the middle leaves: no marker, and a root that is neither.
  rmSync(join(folder, 'hello-rpi3', 'flashed'));
  const fd = openSync(path, 'r+');
  writeSync(fd, Buffer.alloc(SECTOR), 0, SECTOR, places.root);
  closeSync(fd);
  expect((await ran(firmware(UUIDS[0]), folder)).state).toBe('flashed');
  expect(sector(path, places.root)).toEqual(noise(SECTOR, UUIDS[0]));
});

test('is one machine’s at a time, before a byte of it is touched', async () => {
  using disk = await emulatedDisk(firmware(UUIDS[0]), folder);
  await expect(emulatedDisk(firmware(UUIDS[1]), folder, { fresh: true })).rejects.toMatchObject({
    code: 'already-running',
    message: expect.stringContaining(`process ${process.pid}`),
    remedy: expect.stringContaining(`kill ${process.pid}`),
  });
  expect(sector(disk.path, places.root)).toEqual(noise(SECTOR, UUIDS[0]));
  disk[Symbol.dispose]();
  expect(readdirSync(folder)).toEqual(['hello-rpi3']);
  expect((await ran(firmware(UUIDS[1]), folder)).state).toBe('flashed');
});

test('is let go when it cannot be made', async () => {
  writeFileSync(join(folder, 'hello-rpi3'), 'in the way');
  await expect(emulatedDisk(firmware(UUIDS[0]), folder)).rejects.toThrow();
  expect(readdirSync(folder)).toEqual(['hello-rpi3']);
});
