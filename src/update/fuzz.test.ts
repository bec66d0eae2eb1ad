import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openFirmware } from '../archive/open.ts';
import { noise } from '../archive/test-firmware.ts';
import { FwError } from '../errors.ts';
import { encodeEnv } from '../formats/ubootenv.ts';
import { EnvStore, flashedEnv } from './env.ts';
import { IdentityStore } from './identity.ts';
import { ENV, IDENTITY, MiB } from './layout.ts';
import { Pages } from './pages.ts';
import { envOf, recordOf } from './record.ts';
import { boot, contentOf, firmware, flashed, install, type Machine } from './test-machine.ts';
import { SimulatedDisk } from './test-simulated-disk.ts';
import { receiveFrames } from './transfer/receive.ts';
import { sendUpdate } from './transfer/send.ts';

const FACTS = { version: '1.0.0', uuid: '00000000-0000-4000-8000-000000000001', product: 'p', target: 't' };
const bytes = (most: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ minLength: 1, maxLength: most });
const damage = fc.array(fc.record({ copy: fc.nat(1), at: fc.nat(2_000), bytes: bytes(64) }), {
  maxLength: 5,
});

describe('the environment', () => {
  test('of which anything was overwritten is read as what is left of it, and can be written again', async () => {
    await fc.assert(
      fc.asyncProperty(damage, async (hits) => {
        const disk = new SimulatedDisk(new Pages(16 * MiB));
        for (const [copy, image] of flashedEnv(FACTS).entries())
          await disk.write(ENV.offsets[copy] ?? 0, image);
        for (const { copy, at, bytes: noisy } of hits) await disk.write((ENV.offsets[copy] ?? 0) + at, noisy);
        const store = await EnvStore.open(disk);
        const { a } = store.record.slots;
        // All of it or none: half an environment has no checksum.
        if (a) expect(a).toMatchObject(FACTS);
        const next = { ...store.record, floor: '2.0.0' };
        await store.write(next);
        expect((await EnvStore.open(disk)).record).toEqual(next);
      }),
    );
  });

  test('that holds anything, well-formed, is a record that is written as it was read', () => {
    const name = fc.oneof(
      fc.constantFrom('active', 'floor', 'last.result', 'update.state', 'update.into', 'update.rearmed'),
      fc.constantFrom('a.version', 'a.uuid', 'a.validated', 'b.version', 'b.uuid', 'b.installed'),
      fc.string({ maxLength: 8 }),
    );
    const value = fc.oneof(
      fc.constantFrom('a', 'b', '1', '1.2.3', 'trial', 'staged', 'reverted', '-1', '1e9'),
      fc.string({ unit: 'binary', maxLength: 400 }),
    );
    fc.assert(
      fc.property(fc.array(fc.tuple(name, value), { maxLength: 12 }), (entries) => {
        const once = recordOf(envOf(recordOf(new Map(entries))));
        expect(recordOf(envOf(once))).toEqual(once);
        // Whatever it says, the format can hold it.
        expect(encodeEnv({ values: envOf(once), flags: 1 }, ENV.size)).toHaveLength(ENV.size);
      }),
    );
  });
});

describe('the identity', () => {
  const IDENTITIES = ['one', 'two'].map((serial) => ({
    serial,
    operatorKeys: [`ssh-ed25519 AAAA ${serial}`],
  }));

  test('of which anything was overwritten is one that was written, or none, and can be written again', async () => {
    await fc.assert(
      fc.asyncProperty(damage, async (hits) => {
        const disk = new SimulatedDisk(new Pages(16 * MiB));
        const store = await IdentityStore.open(disk);
        for (const each of IDENTITIES) await store.write(each);
        for (const { copy, at, bytes: noisy } of hits)
          await disk.write((IDENTITY.offsets[copy] ?? 0) + (at % 120), noisy);
        const found = await IdentityStore.open(disk);
        expect([...IDENTITIES, undefined]).toContainEqual(found.identity);
        await found.write({ serial: 'three', operatorKeys: [] });
        expect((await IdentityStore.open(disk)).identity?.serial).toBe('three');
      }),
    );
  });

  test('that is JSON of anything, with the right checksum, is one of the known shape or none', async () => {
    await fc.assert(
      fc.asyncProperty(fc.jsonValue(), fc.integer(), async (value, counter) => {
        const json = Buffer.from(JSON.stringify(value));
        const prefix = Buffer.alloc(20);
        prefix.write('HEARTHID', 'latin1');
        prefix.writeInt32BE(counter, 8);
        prefix.writeUInt32BE(json.length, 12);
        prefix.writeUInt32BE(crc32(json, crc32(prefix.subarray(8, 16))), 16);
        const disk = new SimulatedDisk(new Pages(16 * MiB));
        await disk.write(IDENTITY.offsets[0], Buffer.concat([prefix, json]));
        const { identity } = await IdentityStore.open(disk);
        if (identity) expect(typeof identity.serial).toBe('string');
        if (identity) expect(Array.isArray(identity.operatorKeys)).toBe(true);
      }),
    );
  });
});

describe('the frames of an update', () => {
  const small = (n: number): Promise<Buffer> =>
    firmware(n, { root: noise(90_000, `root ${n}`), bootSize: 4_096 });
  let folder: string;
  let first: Buffer;
  let third: Buffer;
  let frames: Buffer;
  const machine = async (): Promise<Machine> => ({
    ...{ family: 'gpt', armed: undefined },
    pages: await flashed('gpt', first),
  });
  const received = async (sent: Buffer, updater: Parameters<typeof receiveFrames>[1]): Promise<void> =>
    receiveFrames(
      (async function* () {
        for (let at = 0; at < sent.length; at += 10_000) yield sent.subarray(at, at + 10_000);
      })(),
      updater,
      'ssh',
      () => {},
    );

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'hearth-fuzz-'));
    const path = join(folder, 'second.fw');
    const second = await small(2);
    [first, third] = await Promise.all([small(1), small(3)]);
    writeFileSync(path, second);
    await using fw = await openFirmware(path, { trust: 'self' });
    const [there, back] = [new PassThrough(), new PassThrough()];
    const { updater } = await boot(await machine());
    const device = receiveFrames(there, updater, 'ssh', (answer) => back.write(answer)).then(() =>
      back.end(),
    );
    const kept: Uint8Array[] = [];
    const write = async (piece: Uint8Array): Promise<void> => {
      kept.push(Buffer.from(piece));
      there.write(piece);
    };
    await sendUpdate(fw, { write, incoming: back }).catch(() => {});
    there.end();
    await device;
    frames = Buffer.concat(kept);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test('as they are sent, are an update', async () => {
    const { updater } = await boot(await machine());
    await received(frames, updater);
    expect(updater.state).toBe('staged');
  });

  test('altered, cut, doubled, or in another order, are refused, or are that very update; and the next one is taken', async () => {
    const somewhere = fc.oneof(fc.nat({ max: 4_000 }), fc.nat({ max: 100_000 }));
    const change = fc.oneof(
      fc.record({ kind: fc.constant('overwrite' as const), at: somewhere, bytes: bytes(40) }),
      fc.record({ kind: fc.constant('cut' as const), at: somewhere, length: fc.nat(5_000) }),
      fc.record({ kind: fc.constant('double' as const), at: somewhere, length: fc.nat(5_000) }),
      fc.record({ kind: fc.constant('end' as const), at: somewhere }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 3 }), async (changes) => {
        const on = await machine();
        const { updater } = await boot(on);
        await received(changes.reduce(changed, frames), updater).catch((error: unknown) => {
          if (!(error instanceof FwError)) throw error;
        });
        expect(['idle', 'receiving', 'staged']).toContain(updater.state);
        if (updater.state === 'staged') expect(await contentOf(on, 'b')).toBe('1.2.0');
        expect(await contentOf(on, 'a')).toBe('1.1.0');
        await install(updater, third);
        expect(await contentOf(on, 'b')).toBe('1.3.0');
      }),
      { numRuns: 60 },
    );
  });
});

type Change =
  | { kind: 'overwrite'; at: number; bytes: Uint8Array }
  | { kind: 'cut' | 'double'; at: number; length: number }
  | { kind: 'end'; at: number };

function changed(frames: Buffer, change: Change): Buffer {
  const at = Math.min(change.at, frames.length);
  if (change.kind === 'end') return frames.subarray(0, at);
  const [before, after] = [frames.subarray(0, at), frames.subarray(at)];
  if (change.kind === 'overwrite')
    return Buffer.concat([before, change.bytes, after.subarray(change.bytes.length)]);
  const piece = after.subarray(0, change.length);
  return Buffer.concat([
    before,
    change.kind === 'cut' ? after.subarray(piece.length) : Buffer.concat([piece, after]),
  ]);
}
