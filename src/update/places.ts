import type { Slot } from '../archive/variants.ts';
import { FwError } from '../errors.ts';
import type { Extent, ReadAt } from '../formats/bytes.ts';
import { readFat } from '../formats/fat/index.ts';
import { readGpt } from '../formats/gpt-read.ts';
import { readMbr } from '../formats/mbr.ts';
import { autobootTxt, slotOfAutoboot } from './boot/autoboot.ts';
import { loaderConf, slotOfLoaderConf } from './boot/loader-conf.ts';
import type { Disk } from './disk.ts';
import { PARTITION_NAMES, SECTOR } from './layout.ts';

/** What a slot is made of: by the names of the payloads that go there. */
export type SlotPlaces = Record<'boot' | 'root', Extent>;

/** The one sector that says which slot is preferred. */
export interface Switch {
  /** Bytes from the start of the disk. */
  offset: number;
  text(slot: Slot): Uint8Array;
  slot(sector: Uint8Array): Slot | undefined;
}

export interface Places {
  slots: Record<Slot, SlotPlaces>;
  switch: Switch;
}

/**
 * Where the slots lie on a disk, found anew each time from its partition table and the control file system: nothing else
 * remembers it, so nothing else can be wrong about it. Neither is ever rewritten as a table or a file system.
 * @throws FwError `bad-disk`, FormatError of the table or the file system
 */
export function findPlaces(disk: Disk, table: 'gpt' | 'mbr'): Places {
  const few = { size: disk.size, readAt: inWindows(disk) };
  return table === 'gpt' ? onGpt(few) : onMbr(few);
}

/** What tables and directories are read from. */
type Source = Pick<Disk, 'size' | 'readAt'>;

const WINDOW = 64 * 1024;

/** The many small reads of the parsers as a few larger ones: the whole program waits for each. */
function inWindows({ size, readAt }: Source): ReadAt {
  const windows = new Map<number, Uint8Array>();
  const windowAt = (number: number): Uint8Array => {
    const known = windows.get(number);
    if (known) return known;
    const window = readAt(number * WINDOW, WINDOW);
    windows.set(number, window);
    return window;
  };
  return (offset, length) => {
    const out = new Uint8Array(Math.max(0, Math.min(length, size - offset)));
    for (let at = 0; at < out.length; ) {
      const from = (offset + at) % WINDOW;
      const part = windowAt(Math.floor((offset + at) / WINDOW)).subarray(from, from + out.length - at);
      if (part.length === 0) return out.subarray(0, at);
      out.set(part, at);
      at += part.length;
    }
    return out;
  };
}

function onGpt(disk: Source): Places {
  const { partitions } = readGpt(disk.readAt, disk.size);
  const partition = (name: string): Extent => {
    const found = partitions.find((each) => each.name === name);
    if (!found) throw bad(`no partition ${name}`);
    return { offset: found.firstByte, length: found.size };
  };
  const esp = partition(PARTITION_NAMES.esp);
  return {
    slots: {
      a: { boot: fileOn(disk, esp, 'EFI/Linux/slot-a.efi'), root: partition(PARTITION_NAMES.rootA) },
      b: { boot: fileOn(disk, esp, 'EFI/Linux/slot-b.efi'), root: partition(PARTITION_NAMES.rootB) },
    },
    switch: {
      offset: switchOn(disk, esp, 'loader/loader.conf'),
      text: loaderConf,
      slot: slotOfLoaderConf,
    },
  };
}

function onMbr(disk: Source): Places {
  const { primaries, logicals } = readMbr(disk.readAt, disk.size);
  const extents = [...primaries, ...logicals].map(({ firstByte, size }) => ({
    offset: firstByte,
    length: size,
  }));
  const [control, bootA, bootB, rootA, rootB] = extents;
  if (primaries.length !== 3 || !control || !bootA || !bootB || !rootA || !rootB)
    throw bad(`${primaries.length} primary and ${logicals.length} logical partitions`);
  return {
    slots: { a: { boot: bootA, root: rootA }, b: { boot: bootB, root: rootB } },
    switch: { offset: switchOn(disk, control, 'autoboot.txt'), text: autobootTxt, slot: slotOfAutoboot },
  };
}

/** A file's one extent, on the disk. */
function fileOn(disk: Source, partition: Extent, path: string): Extent {
  const read: ReadAt = (offset, length) =>
    disk.readAt(partition.offset + offset, Math.min(length, partition.length - offset));
  const extents = readFat(read).extents(path);
  const [extent] = extents;
  if (!extent || extents.length > 1) throw bad(`${path} has ${extents.length} pieces`);
  return { offset: partition.offset + extent.offset, length: extent.length };
}

function switchOn(disk: Source, partition: Extent, path: string): number {
  const { offset, length } = fileOn(disk, partition, path);
  if (length !== SECTOR || offset % SECTOR !== 0) throw bad(`${path} is not one sector`);
  return offset;
}

function bad(what: string): FwError {
  return new FwError('bad-disk', `this disk is not laid out as Hearth lays it out: ${what}`, {
    expected: 'a disk that fw made',
    remedy: 'Write a new image to the disk.',
  });
}
