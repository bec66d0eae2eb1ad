import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { copyFile, open } from 'node:fs/promises';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { openFirmware } from '../../src/archive/open.ts';
import { FwError } from '../../src/errors.ts';
import type { SshLink } from '../../src/links/ssh/ssh-link.ts';
import { DiskFile } from '../../src/update/disk-file.ts';
import { findPlaces } from '../../src/update/places.ts';
import { slotHeadExtent } from '../../src/update/slot-head.ts';
import { sendUpdate } from '../../src/update/transfer/send.ts';
import { type BenchDevice, benchDevice } from './device.ts';
import { type Figure, median, seconds } from './figure.ts';
import { MemoryOf } from './memory.ts';

const RUNS = 3;
/** Of a second Dropbear, which runs commands instead of `heart attach`. */
const PLAIN_PORT = 2222;

/**
 * How fast a whole firmware goes to an emulated PC, written to its disk, beside what its own Dropbear carries to `cat >/dev/null`;
 * and the memory that hearthd needs for it.
 */
export async function benchUploadDevice(): Promise<Figure[]> {
  await using device = await benchDevice('hello', { ports: [PLAIN_PORT], prepare: forgetRunning });
  const { app, folder, link, machine } = device;
  await machine.shell.text(
    `/usr/sbin/dropbear -s -p ${PLAIN_PORT} -W 1048576 -r /run/hearth/ssh/host_key -D /run/hearth/ssh`,
  );
  // By turns: of one that has come in part only the rest would be sent.
  const files = [
    await damaged(device.firmware, join(folder, 'one.fw')),
    await damaged(await app.build('1.0.1'), join(folder, 'other.fw')),
  ];
  const [first = ''] = files;
  const memory = await MemoryOf.hearthd(machine);
  const sampled = memory.sample();
  const bytes = await send(first, link);
  memory.stop();
  const { idle, most } = await sampled;
  const [ours, theirs]: [number[], number[]] = [[], []];
  for (let run = 1; run <= RUNS; run++) {
    theirs.push(await seconds(() => cat(first, device)));
    ours.push(await seconds(() => send(files[run % 2] ?? first, link)));
  }
  const rate = (name: string, times: readonly number[]): Figure => ({
    ...{ name, unit: 'MB/s', runs: RUNS },
    value: median(times.map((each) => bytes / 1e6 / each)),
  });
  const over = (name: string, value: number): Figure => ({ name, value, unit: 'MB', runs: 1, goal: '≤ 60' });
  return [
    rate("upload-device: Dropbear, ssh HOST 'cat >/dev/null'", theirs),
    rate('upload-device: a whole firmware, verified and written', ours),
    {
      ...{ name: 'upload-device: of what plain ssh carries', unit: '×', runs: RUNS, goal: '≥ 0.8' },
      value: median(theirs.map((plain, run) => plain / (ours[run] ?? Number.NaN))),
    },
    over('upload-device: memory of hearthd (RSS) over idle', most.rss - idle.rss),
    over('upload-device: memory of its cgroup over idle', most.cgroup - idle.cgroup),
  ];
}

/** Without the head of what its slot holds a device knows no chunk of it, and copies none. */
async function forgetRunning(image: string): Promise<void> {
  const disk = await DiskFile.open(image);
  const { offset, length } = slotHeadExtent(findPlaces(disk, 'gpt').slots.a.root);
  await disk.write(offset, new Uint8Array(length));
  await disk.flush();
  await disk.close();
}

/** A device refuses it by its very last chunk, when all others are verified and written: it does not reboot between two turns. */
async function damaged(path: string, copy: string): Promise<string> {
  await copyFile(path, copy);
  await using fw = await openFirmware(path, { trust: 'self' });
  const last = fw.head.members.at(-1);
  if (!last) throw new Error(`${path} has no payload`);
  await using file = await open(copy, 'r+');
  const byte = Buffer.alloc(1);
  const at = last.offset + last.size - 1;
  await file.read(byte, 0, 1, at);
  byte.writeUInt8(byte.readUInt8() ^ 1);
  await file.write(byte, 0, 1, at);
  return copy;
}

/** @returns bytes of the file */
async function send(path: string, link: SshLink): Promise<number> {
  await using fw = await openFirmware(path, { trust: 'self' });
  const session = link.open(['update', '--frames']);
  let left = Number.NaN;
  try {
    await sendUpdate(fw, session, {
      onSent(done, total) {
        left = total - done;
      },
    });
  } catch (error) {
    if (error instanceof FwError && error.code === 'fw-chunk-altered' && left === 0) return fw.size;
    throw error;
  } finally {
    session.close();
  }
  throw new Error('the device has taken a damaged firmware');
}

async function cat(path: string, { machine, ssh }: BenchDevice): Promise<void> {
  const words = ['-p', String(machine.portOf(PLAIN_PORT)), '-T', 'root@127.0.0.1', 'cat >/dev/null'];
  const child = spawn('ssh', [...ssh, ...words], { stdio: ['pipe', 'ignore', 'inherit'] });
  const ended = once(child, 'exit');
  await pipeline(createReadStream(path, { highWaterMark: 1024 * 1024 }), child.stdin);
  const [status] = await ended;
  if (status !== 0) throw new Error(`ssh cat: status ${status}`);
}
