import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type FirmwareFile, openFirmware } from '../../archive/open.ts';
import { newSigner, noise } from '../../archive/test-firmware.ts';
import { FwError } from '../../errors.ts';
import { boot, firmware, flashed, type Machine, rootOf } from '../test-machine.ts';
import { encodeFrame, encodeJson, FRAME } from './frame.ts';
import { refusalOf } from './messages.ts';
import { makePatch } from './patch.ts';
import { REBOOTING, receiveFile, receiveFrames } from './receive.ts';
import { type SendOptions, type Sent, sendUpdate } from './send.ts';

let dir: string;
let first: Buffer;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'hearth-transfer-'));
  first = await firmware(1);
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

async function opened(name: string, fw: Buffer): Promise<FirmwareFile> {
  const path = join(dir, name);
  writeFileSync(path, fw);
  return openFirmware(path, { trust: 'self' });
}

async function machine(): Promise<Machine> {
  return { family: 'gpt', pages: await flashed('gpt', first), armed: undefined };
}

type Updater = Awaited<ReturnType<typeof boot>>['updater'];

/** Both ends in one process, with a pipe for each way. */
async function transfer(updater: Updater, fw: FirmwareFile, options: SendOptions = {}): Promise<Sent> {
  const [there, back] = [new PassThrough(), new PassThrough()];
  const device = receiveFrames(there, updater, 'ssh', (bytes) => back.write(bytes)).then(
    () => back.end(REBOOTING),
    (error: unknown) => back.end(encodeJson(FRAME.refused, refusalOf(error))),
  );
  const write = async (bytes: Uint8Array): Promise<void> => {
    if (!there.write(bytes)) await new Promise<void>((resolve) => there.once('drain', resolve));
  };
  try {
    return await sendUpdate(fw, { write, incoming: back }, options);
  } finally {
    there.end();
    await device;
  }
}

/** A byte of the root in its middle. */
function withOneByteChanged(): Promise<Buffer> {
  const root = rootOf(1);
  root[800_000] = (root[800_000] ?? 0) ^ 1;
  return firmware(2, { root });
}

test('what is missing travels, and no more', async () => {
  const { updater } = await boot(await machine());
  await using fw = await opened('second.fw', await firmware(2));
  const { sent, fileSize, from } = await transfer(updater, fw);
  expect(updater.state).toBe('staged');
  expect(from.version).toBe('1.1.0');
  expect(sent).toBeLessThan(fileSize * 0.75);
});

test('of a change that is small a difference travels, when the sender has what runs', async () => {
  const { updater } = await boot(await machine());
  await using fw = await opened('small.fw', await withOneByteChanged());
  const { sent } = await transfer(updater, fw, { findOld: () => opened('first.fw', first) });
  expect(updater.state).toBe('staged');
  // Of the head, too.
  expect(sent).toBeLessThan(4096);
});

test('a head that is not the one that runs is not built upon', async () => {
  const { updater } = await boot(await machine());
  await using fw = await opened('small.fw', await withOneByteChanged());
  // The same firmware, of another head: its key is a stranger's.
  const resigned = await firmware(1, { by: newSigner('somebody') });
  const { sent } = await transfer(updater, fw, { findOld: () => opened('resigned.fw', resigned) });
  expect(updater.state).toBe('staged');
  expect(sent).toBeGreaterThan(fw.head.bytes.length);
});

test('a difference to a head that the device does not have is refused before anything is written', async () => {
  const { updater, disk } = await boot(await machine());
  await using fw = await opened('small.fw', await withOneByteChanged());
  const patch = await makePatch(fw.head.bytes, Buffer.concat([fw.head.bytes, noise(1000)]));
  const frames = async function* () {
    yield encodeFrame(FRAME.headPatch, patch);
  };
  await expect(receiveFrames(frames(), updater, 'ssh', () => {})).rejects.toBeInstanceOf(FwError);
  expect(disk.log).toEqual([]);
});

test('where nothing is alike, no more travels than the whole file', async () => {
  const { updater } = await boot(await machine());
  const other = await firmware(2, { root: noise(1_500_000, 'another') });
  await using fw = await opened('other.fw', other);
  const { sent } = await transfer(updater, fw, { findOld: () => opened('first.fw', first) });
  expect(updater.state).toBe('staged');
  expect(sent).toBeLessThan(fw.size);
});

test('an old firmware that is damaged where it was kept costs bytes, not the update', async () => {
  const { updater } = await boot(await machine());
  await using fw = await opened('small.fw', await withOneByteChanged());
  const damaged = Buffer.from(first);
  for (let at = damaged.length - 1_400_000; at < damaged.length - 10_000; at += 20_000)
    damaged.writeUInt8(damaged.readUInt8(at) ^ 1, at);
  const { sent } = await transfer(updater, fw, { findOld: () => opened('damaged.fw', damaged) });
  expect(updater.state).toBe('staged');
  expect(sent).toBeGreaterThan(100_000);
});

test('a difference to another firmware than the one that runs is found out, and nothing is tried', async () => {
  const { updater } = await boot(await machine());
  await using fw = await opened('small.fw', await withOneByteChanged());
  // It has the change already, so that the difference to it leaves it out.
  const other = async (): Promise<FirmwareFile> => opened('other.fw', await withOneByteChanged());
  await expect(transfer(updater, fw, { findOld: other })).rejects.toMatchObject({
    code: 'patch-does-not-fit',
  });
  expect(updater.state).toBe('receiving');
  await transfer(updater, fw);
  expect(updater.state).toBe('staged');
});

test('a transfer that is cut goes on where it was', async () => {
  const { updater } = await boot(await machine());
  await using fw = await opened('second.fw', await firmware(2));
  const whole = Buffer.concat([await firmware(2)]);
  const half = [whole.subarray(0, whole.length - 450_000)];
  await expect(
    receiveFile(
      (async function* () {
        yield* half;
      })(),
      updater,
      'ssh',
    ),
  ).rejects.toMatchObject({ code: 'fw-truncated' });
  let wanted = 0;
  await transfer(updater, fw, {
    onWanted: (_, bytes) => {
      wanted = bytes;
    },
  });
  expect(updater.state).toBe('staged');
  expect(wanted).toBeLessThan(450_000);
});

test('what the device refuses is told as it tells it, while the sender still sends', async () => {
  const { updater, disk } = await boot(await machine());
  await using fw = await opened('strange.fw', await firmware(3, { by: newSigner('somebody') }));
  await expect(transfer(updater, fw)).rejects.toMatchObject({
    code: 'fw-key-not-trusted',
    remedy: expect.stringContaining('key'),
  });
  expect(disk.log).toEqual([]);
});

test('what is being written when the link breaks is written before that is told, and nothing after it', async () => {
  const machine: Machine = {
    family: 'gpt',
    pages: await flashed('gpt', await firmware(1)),
    armed: undefined,
  };
  const { updater, disk } = await boot(machine);
  const write = disk.write.bind(disk);
  let ended = false;
  const late: number[] = [];
  disk.write = async (offset, bytes) => {
    // A slow card: long after the source has ended.
    for (let turn = 0; turn < 50; turn++) await new Promise(setImmediate);
    if (ended) late.push(offset);
    await write(offset, bytes);
  };
  const whole = await firmware(2);
  const source = (async function* () {
    yield whole.subarray(0, Math.floor(whole.length * 0.7));
  })();
  await expect(receiveFile(source, updater, 'ssh')).rejects.toMatchObject({ code: 'fw-truncated' });
  ended = true;
  for (let turn = 0; turn < 200; turn++) await new Promise(setImmediate);
  expect(late).toEqual([]);
});
