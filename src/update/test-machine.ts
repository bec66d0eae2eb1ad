/** For tests only: a small machine with a disk as `fw` makes it, a boot loader's rules, and firmware for it. */
import { hash } from 'node:crypto';
import { type Head, parseHead } from '../archive/head.ts';
import { readFirmware } from '../archive/read.ts';
import type { Signer } from '../archive/signer.ts';
import { build, newSigner, noise } from '../archive/test-firmware.ts';
import type { Slot } from '../archive/variants.ts';
import { writeFat } from '../formats/fat/index.ts';
import { GPT_TYPES, writeGpt } from '../formats/gpt.ts';
import { MBR_TYPES, writeMbr } from '../formats/mbr.ts';
import { autobootTxt } from './boot/autoboot.ts';
import { loaderConf } from './boot/loader-conf.ts';
import { flashedEnv } from './env.ts';
import { ENV, FIRST_PARTITION, MBR_SIGNATURE, MiB, PARTITION_NAMES, SECTOR, STATE_AREA } from './layout.ts';
import { Pages } from './pages.ts';
import { findPlaces, type Places } from './places.ts';
import { chunksOf, SlotStore } from './slot.ts';
import { SimulatedDisk } from './test-simulated-disk.ts';
import { Updater, type UpdaterParts } from './updater.ts';

const KiB = 1024;
const BOOT_SIZE = 128 * KiB;
const ROOT_SIZE = 4 * MiB;
const ESP_SIZE = 4 * MiB;
const CONTROL_SIZE = 4 * MiB;
const EBR_GAP = 4 * MiB;
const TIME = new Date('2026-11-21T00:00:00Z');

export type Family = 'gpt' | 'mbr';
export const signer: Signer = newSigner();

export interface TestFirmware {
  version?: string;
  /** Bytes of the root; what is not said to differ is the same in every firmware. */
  root?: Buffer;
  /** Where chunks of the root may end. */
  rootSeams?: readonly number[];
  /** Bytes of the boot payload. */
  bootSize?: number;
  versionFloor?: string;
  by?: Signer;
  /** Public keys whose updates it accepts; the default is the one that signs. */
  trusts?: readonly string[];
  product?: string;
}

/** Firmware N: its root differs from that of others in the middle third. */
export function rootOf(n: number): Buffer {
  return Buffer.concat([noise(700 * KiB, 'begin'), noise(500 * KiB, `middle ${n}`), noise(300 * KiB, 'end')]);
}

export function firmware(n: number, options: TestFirmware = {}): Promise<Buffer> {
  const { by = signer } = options;
  const uuid = `00000000-0000-4000-8000-${String(n).padStart(12, '0')}`;
  const boot = Buffer.from(`kernel ${n} hearth.slot=a `.padEnd(options.bootSize ?? 100 * KiB, 'kernel'));
  const at = boot.indexOf('hearth.slot=a') + 12;
  return build(
    {
      product: options.product ?? 'hello',
      version: options.version ?? `1.${n}.0`,
      ...(options.versionFloor === undefined ? {} : { versionFloor: options.versionFloor }),
      target: 'rpi3',
      arch: 'aarch64',
      uuid,
      created: '2026-11-21T00:00:00Z',
      trustedKeys: [...(options.trusts ?? [by.publicKey])],
      payloads: [
        { name: 'loader', pieces: [Buffer.from('loader')], storage: { encoding: 'raw' } },
        {
          name: 'boot',
          pieces: [boot],
          storage: { encoding: 'zstd', level: 3 },
          variants: [{ offset: at, a: Buffer.from('a'), b: Buffer.from('b') }],
        },
        {
          ...{ name: 'root', pieces: [options.root ?? rootOf(n)], storage: { encoding: 'raw' } },
          boundaries: options.rootSeams ?? [],
        },
      ],
    },
    by,
  );
}

/** A disk as it is flashed: slot a holds a firmware, slot b nothing. */
export async function flashed(family: Family, fw: Buffer): Promise<Pages> {
  const pages = new Pages(64 * MiB);
  for (const { offset, bytes } of family === 'gpt' ? gptPieces(pages.size) : mbrPieces(pages.size))
    pages.write(offset, bytes);
  const disk = new SimulatedDisk(pages);
  const store = new SlotStore(disk, 'a', findPlaces(disk, family).slots.a);
  for await (const event of readFirmware([fw], { trust: 'self' })) {
    if (event.type === 'manifest') {
      await store.writeHead(event.head.bytes);
      const { version, uuid, product, target } = event.manifest;
      flashedEnv({ version, uuid, product, target }).forEach((bytes, copy) => {
        pages.write(ENV.offsets[copy] ?? 0, bytes);
      });
    } else if (event.payload.name !== 'loader') {
      const { payload, chunkIndex: index, offset, bytes } = event;
      const chunk = { offset, size: bytes.length };
      await store.write({ payload, index, chunk: { ...chunk, ...UNUSED } }, bytes);
    }
  }
  return pages;
}

const UNUSED = { storedOffset: 0, storedSize: 0, sha256: Buffer.alloc(32), storedSha256: Buffer.alloc(32) };

/** The machine between two boots: what its disk holds, and whether a one-shot is armed. */
export interface Machine {
  family: Family;
  pages: Pages;
  armed: Slot | undefined;
}

/** As they were flashed: what the engine might have done to the tables, it finds itself when it is opened. */
const places = new Map<Family, Places>();

function placesOf({ family, pages }: Machine): Places {
  const found = places.get(family) ?? findPlaces(new SimulatedDisk(pages), family);
  places.set(family, found);
  return found;
}

/** The slot that the boot loader chooses, and the one-shot used up. */
export function bootSlot(machine: Machine): Slot {
  const { switch: sw } = placesOf(machine);
  const preferred = sw.slot(machine.pages.read(sw.offset, SECTOR)) ?? 'a';
  const slot = machine.armed ?? preferred;
  machine.armed = undefined;
  return slot;
}

export interface Booted {
  disk: SimulatedDisk;
  updater: Updater;
  slot: Slot;
}

/** Boots: what hearthd does first. */
export async function boot(machine: Machine, options: Partial<UpdaterParts> = {}): Promise<Booted> {
  const disk = new SimulatedDisk(machine.pages);
  const slot = bootSlot(machine);
  const updater = await Updater.open({
    disk,
    table: machine.family,
    booted: slot,
    resetCause: 'reboot: signal 15',
    again: false,
    oneShot: {
      arm: async (wanted) => {
        machine.armed = wanted;
        disk.log.push({ type: 'arm', slot: wanted });
      },
    },
    trustedKeys: [signer.publicKey],
    device: { product: 'hello', target: 'rpi3', arch: 'aarch64' },
    versionFloor: undefined,
    now: () => TIME,
    ...options,
  });
  return { disk, updater, slot };
}

/** The version that a slot holds, complete to the last byte; it throws where it does not. */
export function contentOf(machine: Machine, slot: Slot): Promise<string> {
  return wholeSlot(new SlotStore(new SimulatedDisk(machine.pages), slot, placesOf(machine).slots[slot]));
}

/** The same, of any disk's slot. */
export async function wholeSlot(store: SlotStore): Promise<string> {
  const bytes = await store.head();
  if (!bytes) throw new Error(`slot ${store.slot} has no head`);
  const head = await headOf(bytes);
  for (const id of chunksOf(head)) {
    if (!(await store.read(id)))
      throw new Error(`slot ${store.slot} is not whole: ${id.payload.name}, chunk ${id.index}`);
  }
  return head.manifest.version;
}

/** Good ones, by what they are digested to: there are few, and each is looked at thousands of times. */
const heads = new Map<string, Head>();

async function headOf(bytes: Uint8Array): Promise<Head> {
  const digest = hash('sha256', bytes);
  const head = heads.get(digest) ?? (await parseHead(bytes, { trust: 'self' }));
  heads.set(digest, head);
  return head;
}

/** Takes a firmware in, as a link does that sends a whole .fw. */
export async function install(updater: Updater, fw: Buffer, via = 'ssh'): Promise<{ sent: number }> {
  let sent = 0;
  let installation: Awaited<ReturnType<Updater['begin']>> | undefined;
  for await (const event of readFirmware([fw], updater.reading)) {
    if (event.type === 'manifest') installation = await updater.begin(event.head, via);
    else if (await installation?.put(event.payload.name, event.chunkIndex, event.bytes))
      sent += event.bytes.length;
  }
  if (!installation) throw new Error('no manifest');
  await updater.complete(installation);
  return { sent };
}

function gptPieces(diskSize: number): { offset: number; bytes: Uint8Array }[] {
  const espAt = FIRST_PARTITION;
  const rootAt = espAt + ESP_SIZE;
  const guid = (n: number): string => `00000000-0000-4000-8000-0000000000${String(n).padStart(2, '0')}`;
  const part = (n: number, type: string, name: string, firstByte: number, size: number) => ({
    ...{ type, name, firstByte, size },
    guid: guid(n),
  });
  const table = writeGpt({
    diskSize,
    diskGuid: guid(99),
    partitions: [
      part(1, GPT_TYPES.esp, PARTITION_NAMES.esp, espAt, ESP_SIZE),
      part(2, GPT_TYPES.hearthState, PARTITION_NAMES.state, STATE_AREA.offset, STATE_AREA.size),
      part(3, GPT_TYPES.linux, PARTITION_NAMES.rootA, rootAt, ROOT_SIZE),
      part(4, GPT_TYPES.linux, PARTITION_NAMES.rootB, rootAt + ROOT_SIZE, ROOT_SIZE),
    ],
  });
  const esp = writeFat(
    [
      { path: 'loader/loader.conf', content: loaderConf('a') },
      { path: 'EFI/Linux/slot-a.efi', content: new Uint8Array(0), reserve: BOOT_SIZE },
      { path: 'EFI/Linux/slot-b.efi', content: new Uint8Array(0), reserve: BOOT_SIZE },
    ],
    { type: 16, size: ESP_SIZE, label: 'ESP', volumeId: 1, hiddenSectors: espAt / SECTOR, time: TIME },
  );
  return [...table, ...esp.pieces.map(({ offset, bytes }) => ({ offset: espAt + offset, bytes }))];
}

function mbrPieces(diskSize: number): { offset: number; bytes: Uint8Array }[] {
  let at = FIRST_PARTITION;
  const take = (size: number, type: number, gap = 0) => {
    const firstByte = at + gap;
    at = firstByte + size;
    return { type, firstByte, size };
  };
  const primaries = [CONTROL_SIZE, MiB, MiB].map((size) => take(size, MBR_TYPES.fat32Lba));
  const logicals = [ROOT_SIZE, ROOT_SIZE].map((size) => take(size, MBR_TYPES.linux, EBR_GAP));
  const table = writeMbr({ diskSize, signature: MBR_SIGNATURE, primaries, logicals });
  const control = writeFat([{ path: 'autoboot.txt', content: autobootTxt('a') }], {
    ...{ type: 16, size: CONTROL_SIZE, label: 'CTL', volumeId: 1 },
    ...{ hiddenSectors: FIRST_PARTITION / SECTOR, time: TIME },
  });
  return [
    ...table,
    ...control.pieces.map(({ offset, bytes }) => ({ offset: FIRST_PARTITION + offset, bytes })),
  ];
}
