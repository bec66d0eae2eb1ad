import {
  closeSync,
  constants,
  fdatasyncSync,
  fstatSync,
  openSync,
  readFileSync,
  readSync,
  writeSync,
} from 'node:fs';
import { basename } from 'node:path';
import type { WriteStep } from '../../formats/bytes.ts';

/** /sys/class/block counts in these, whatever the disk's own sectors are. */
const SYS_SECTOR = 512;

/** Reads of one open device or file. */
export interface OpenDevice extends Disposable {
  /** @throws the system's error, EIO for a medium that cannot be read */
  read(offset: number, length: number): Uint8Array;
  /** Writes the steps in order; each is on the medium before the next begins. */
  writeSteps(steps: readonly WriteStep[]): void;
}

export function openDevice(path: string, access: 'read' | 'write'): OpenDevice {
  const fd = openSync(path, access === 'read' ? constants.O_RDONLY : constants.O_RDWR);
  return {
    read(offset, length) {
      const bytes = new Uint8Array(length);
      let have = 0;
      while (have < length) {
        const count = readSync(fd, bytes, have, length - have, offset + have);
        if (count === 0) break;
        have += count;
      }
      return bytes.subarray(0, have);
    },
    writeSteps(steps) {
      for (const { offset, bytes } of steps) {
        for (let done = 0; done < bytes.length; ) {
          done += writeSync(fd, bytes, done, bytes.length - done, offset + done);
        }
        fdatasyncSync(fd);
      }
    },
    [Symbol.dispose]() {
      closeSync(fd);
    },
  };
}

/** A partition or disk, as the kernel has it. Bytes. */
export interface BlockInfo {
  size: number;
  /** From the start of its disk; 0 for a whole disk. */
  start: number;
  /** The partition's number; 0 for a whole disk. */
  number: number;
}

/** @throws the system's error when there is no such device */
export function blockInfo(device: string, sys = '/sys'): BlockInfo {
  const base = `${sys}/class/block/${basename(device)}`;
  const read = (name: string): number => Number(readFileSync(`${base}/${name}`, 'latin1'));
  const optional = (name: string): number => {
    try {
      return read(name);
    } catch (error) {
      // A whole disk has neither `start` nor `partition`.
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0;
      throw error;
    }
  };
  return {
    size: read('size') * SYS_SECTOR,
    start: optional('start') * SYS_SECTOR,
    number: optional('partition'),
  };
}

/** Whether the path is a block device at all. */
export function isBlockDevice(path: string): boolean {
  let fd: number;
  try {
    fd = openSync(path, constants.O_RDONLY);
  } catch {
    return false;
  }
  try {
    return fstatSync(fd).isBlockDevice();
  } finally {
    closeSync(fd);
  }
}
