import { execFileSync, spawnSync } from 'node:child_process';
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type OpenDevice, openDevice } from '../../src/device/data/block.ts';
import { check } from '../../src/device/data/check.ts';
import { finishingSteps, format } from '../../src/device/data/format.ts';
import { growFilesystem } from '../../src/device/data/grow.ts';
import { mountExt4 } from '../../src/device/data/mounts.ts';
import { prepareData } from '../../src/device/data/prepare.ts';
import { LABEL_DATA, LABEL_MAKING, probe } from '../../src/device/data/probe.ts';
import {
  parseSuperblock,
  SUPERBLOCK_OFFSET,
  SUPERBLOCK_SIZE,
  withLabel,
} from '../../src/device/data/superblock.ts';
import { systemExec } from '../../src/device/exec.ts';

// The data partition with the real mke2fs, e2fsck, resize2fs and kernel, on files and loop devices.
const MiB = 1024 * 1024;
/** The second has 4 KiB blocks and a journal of our own size, as on every real disk. */
const SIZES = [64 * MiB, 640 * MiB];
const exec = systemExec();
const openForWriting = (path: string): OpenDevice => openDevice(path, 'write');

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'hearth-data-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

let count = 0;
function blankImage(size: number): string {
  const path = join(folder, `${++count}.img`);
  writeFileSync(path, '');
  truncateSync(path, size);
  return path;
}
function look(path: string): ReturnType<typeof probe> {
  using device = openDevice(path, 'read');
  return probe(device.read);
}
function copyOf(path: string): string {
  const copy = join(folder, `${++count}.img`);
  execFileSync('cp', ['--sparse=always', path, copy]);
  return copy;
}
/** The judge: e2fsprogs' own full check, which changes nothing. */
function sound(path: string): boolean {
  return spawnSync('e2fsck', ['-f', '-n', path]).status === 0;
}
function dumped(path: string, field: string, ...options: string[]): string | undefined {
  const text = execFileSync('dumpe2fs', ['-h', ...options, path], {
    stdio: ['ignore', 'pipe', 'ignore'],
  }).toString();
  return new RegExp(`^${field}:\\s+(.*)$`, 'm').exec(text)?.[1];
}
function overwrite(path: string, offset: number, bytes: Uint8Array): void {
  using device = openDevice(path, 'write');
  device.writeSteps([{ offset, bytes, why: 'test' }]);
}

test.each(SIZES)(
  'a blank partition of %d bytes becomes a sound file system, primary and backups',
  async (size) => {
    const path = blankImage(size);
    expect(look(path)).toEqual({ kind: 'blank' });
    await format(exec, openForWriting, path, size);
    expect(sound(path)).toBe(true);
    expect(dumped(path, 'Filesystem volume name')).toBe('hearth-data');
    const content = look(path);
    expect(content).toMatchObject({
      kind: 'filesystem',
      superblock: { label: 'hearth-data', clean: true, size },
    });
    const blockSize = size < 512 * MiB ? 1024 : 4096;
    expect(dumped(path, 'Block size')).toBe(String(blockSize));
    const backup = blockSize === 1024 ? 8193 : 32_768;
    expect(
      dumped(path, 'Filesystem volume name', '-o', `superblock=${backup}`, '-o', `blocksize=${blockSize}`),
    ).toBe('hearth-data');
  },
);

/** What the disk may hold when the power goes before mke2fs's last flush: any part of what it wrote, but no superblock. */
function cutDuringMke2fs(made: Uint8Array, seed: number): Uint8Array {
  const cut = new Uint8Array(made.length);
  let random = seed;
  for (let at = 0; at < made.length; at += 4096) {
    random = (Math.imul(random, 1_103_515_245) + 12_345) >>> 0;
    if (random & 0x10000) cut.set(made.subarray(at, at + 4096), at);
  }
  cut.fill(0, SUPERBLOCK_OFFSET, SUPERBLOCK_OFFSET + SUPERBLOCK_SIZE);
  return cut;
}

test('a power cut at any point of the first format ends in a sound /data at the next boot (P11)', async () => {
  const size = 24 * MiB;
  const path = blankImage(size);
  // mke2fs alone, as format() calls it: its end is where the label still says that it is not the end.
  await format(
    exec,
    (device) => {
      const real = openForWriting(device);
      return { ...real, writeSteps: () => {} };
    },
    path,
    size,
  );
  const made = readFileSync(path);
  expect(look(path)).toEqual({ kind: 'unfinished' });
  const states: [string, Uint8Array][] = [];
  for (let seed = 1; seed <= 12; seed++)
    states.push([`cut ${seed} inside mke2fs`, cutDuringMke2fs(made, seed)]);
  states.push(['cut after mke2fs', made]);
  // And between any two writes of the label.
  const finishing = finishingSteps((offset, length) => made.subarray(offset, offset + length));
  expect(finishing.length).toBeGreaterThan(1);
  for (let done = 1; done <= finishing.length; done++) {
    const state = Uint8Array.from(made);
    for (const { offset, bytes } of finishing.slice(0, done)) state.set(bytes, offset);
    states.push([`cut after label ${done}`, state]);
  }
  for (const [name, state] of states) {
    writeFileSync(path, state);
    const content = look(path);
    const last = name === `cut after label ${finishing.length}`;
    expect(content.kind, name).toBe(last ? 'filesystem' : content.kind === 'blank' ? 'blank' : 'unfinished');
    if (!last) await format(exec, openForWriting, path, size);
    expect(sound(path), name).toBe(true);
    expect(look(path), name).toMatchObject({ kind: 'filesystem', superblock: { label: 'hearth-data' } });
  }
});

test('a primary superblock that a cut has torn is restored from a backup', async () => {
  const path = blankImage(640 * MiB);
  await format(exec, openForWriting, path, 640 * MiB);
  using device = openDevice(path, 'read');
  const torn = Uint8Array.from(device.read(SUPERBLOCK_OFFSET, SUPERBLOCK_SIZE));
  // The second sector of the two is the old one: its checksum is not of this label.
  torn[SUPERBLOCK_SIZE - 1] = (torn[SUPERBLOCK_SIZE - 1] ?? 0) ^ 0xff;
  overwrite(path, SUPERBLOCK_OFFSET, torn);
  expect(sound(path)).toBe(false);
  expect(look(path).kind).toBe('filesystem');
  expect((await check(exec, path)).kind).toBe('repaired');
  expect(sound(path)).toBe(true);
});

test('a lost primary superblock is damage, not blankness, and what was stored is still there', async () => {
  const path = blankImage(640 * MiB);
  await format(exec, openForWriting, path, 640 * MiB);
  const file = join(folder, 'precious');
  writeFileSync(file, 'to keep');
  execFileSync('debugfs', ['-w', '-R', `write ${file} precious`, path], { stdio: 'ignore' });
  overwrite(path, 0, new Uint8Array(4096));
  const content = look(path);
  expect(content).toEqual({ kind: 'damaged', backup: { block: 32_768, blockSize: 4096 } });
  if (content.kind === 'damaged') await check(exec, path, content.backup);
  expect(look(path)).toMatchObject({ kind: 'filesystem' });
  expect(sound(path)).toBe(true);
  expect(
    execFileSync('debugfs', ['-R', 'cat precious', path], { stdio: ['ignore', 'pipe', 'ignore'] }).toString(),
  ).toBe('to keep');
});

test('a backup that asks for the journal, as growing while mounted leaves it, is one to repair from', async () => {
  const path = blankImage(640 * MiB);
  await format(exec, openForWriting, path, 640 * MiB);
  // The same with a first superblock that is gone, and with one that is torn: e2fsck looks for a backup itself then.
  const asking = 32_768 * 4096;
  using device = openDevice(path, 'write');
  const backup = Buffer.from(device.read(asking, SUPERBLOCK_SIZE));
  const NEEDS_RECOVERY = 4;
  backup.writeUInt32LE(backup.readUInt32LE(0x60) | NEEDS_RECOVERY, 0x60);
  overwrite(path, asking, withLabel(backup, LABEL_DATA));
  const torn = copyOf(path);
  overwrite(path, 0, new Uint8Array(4096));
  const content = look(path);
  expect(content.kind).toBe('damaged');
  if (content.kind !== 'damaged') return;
  expect((await check(exec, path, content.backup)).kind).toBe('repaired');
  overwrite(torn, SUPERBLOCK_OFFSET + SUPERBLOCK_SIZE - 1, Uint8Array.of(0xff));
  expect((await check(exec, torn)).kind).toBe('repaired');
  expect([sound(path), sound(torn)]).toEqual([true, true]);
});

test('noise where the inodes were is repaired without a question', async () => {
  const path = blankImage(64 * MiB);
  await format(exec, openForWriting, path, 64 * MiB);
  const inodeTable = Number(
    /Inode table at (\d+)/.exec(
      execFileSync('dumpe2fs', [path], { stdio: ['ignore', 'pipe', 'ignore'] }).toString(),
    )?.[1],
  );
  overwrite(path, inodeTable * 1024, new Uint8Array(2048).fill(0xa5));
  expect(sound(path)).toBe(false);
  expect(await check(exec, path)).toMatchObject({
    kind: 'repaired',
    words: expect.stringContaining('hearth-data'),
  });
  expect(sound(path)).toBe(true);
});

test('what e2fsck cannot repair is an error with a remedy', async () => {
  const path = blankImage(4 * MiB);
  await expect(check(exec, path)).rejects.toMatchObject({
    code: 'data-damaged',
    remedy: expect.stringContaining('dd if=/dev/zero'),
  });
});

test('a label of mke2fs fits what the superblock can hold', () => {
  expect(LABEL_MAKING.length).toBeLessThanOrEqual(16);
});

// Mounting needs root and loop devices; a container without them still runs everything above.
const canMount = process.getuid?.() === 0 && spawnSync('losetup', ['-f']).status === 0;

/** CAP_SYS_RESOURCE, which the kernel asks for to resize; even root lacks it in some containers. */
const CAP_SYS_RESOURCE = 1n << 24n;
const capabilities = /^CapEff:\s+(\w+)$/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1] ?? '0';
const canResize = canMount && (BigInt(`0x${capabilities}`) & CAP_SYS_RESOURCE) !== 0n;

test.runIf(canResize)('mounted, filled with files, grown while in use, and sound afterwards', async () => {
  const path = blankImage(64 * MiB);
  await format(exec, openForWriting, path, 64 * MiB);
  const loop = execFileSync('losetup', ['-f', '--show', path]).toString().trim();
  const target = join(folder, 'mnt');
  mkdirSync(target);
  try {
    expect(
      await mountExt4(exec, { device: loop, target, readOnly: false, commitSeconds: 5 }),
    ).toBeUndefined();
    cpSync(new URL('../../src/device', import.meta.url).pathname, join(target, 'copy'), { recursive: true });
    truncateSync(path, 512 * MiB);
    execFileSync('losetup', ['-c', loop]);
    await growFilesystem(exec, loop);
    expect(statSync(join(target, 'copy', 'main.ts')).size).toBeGreaterThan(0);
    using device = openDevice(loop, 'read');
    expect(parseSuperblock(device.read(SUPERBLOCK_OFFSET, SUPERBLOCK_SIZE))).toMatchObject({
      size: 512 * MiB,
    });
  } finally {
    spawnSync('umount', [target]);
    spawnSync('losetup', ['-d', loop]);
  }
  expect(sound(path)).toBe(true);
  expect(dumped(path, 'Block count')).toBe(String(512 * 1024));
  expect(look(path)).toMatchObject({ kind: 'filesystem', superblock: { clean: true } });
});

test.runIf(canMount)('pulled while mounted: not clean, and the next boot replays the journal', async () => {
  const path = blankImage(64 * MiB);
  await format(exec, openForWriting, path, 64 * MiB);
  const loop = execFileSync('losetup', ['-f', '--show', path]).toString().trim();
  const target = join(folder, 'mnt2');
  mkdirSync(target);
  let pulled: string;
  try {
    await mountExt4(exec, { device: loop, target, readOnly: false, commitSeconds: 5 });
    writeFileSync(join(target, 'file'), 'written and synced');
    execFileSync('sync', ['-f', target]);
    pulled = copyOf(path);
  } finally {
    spawnSync('umount', [target]);
    spawnSync('losetup', ['-d', loop]);
  }
  expect(look(pulled)).toMatchObject({ kind: 'filesystem', superblock: { clean: false } });
  expect(await check(exec, pulled)).toEqual(
    expect.objectContaining({ kind: expect.stringMatching(/clean|repaired/) }),
  );
  expect(look(pulled)).toMatchObject({ superblock: { clean: true } });
  expect(
    execFileSync('debugfs', ['-R', 'cat file', pulled], { stdio: ['ignore', 'pipe', 'ignore'] }).toString(),
  ).toBe('written and synced');
});

test.runIf(canMount)('a whole first boot and a second one, as hearthd does them', async () => {
  const path = blankImage(64 * MiB);
  const loop = execFileSync('losetup', ['-f', '--show', path]).toString().trim();
  const target = join(folder, 'mnt3');
  mkdirSync(target);
  const commands: string[] = [];
  const boot = (): Promise<string> =>
    prepareData(
      { device: loop, target, commitSeconds: 5 },
      {
        exec: (program, args) => {
          commands.push(program);
          return exec(program, args);
        },
        open: (device) => ({ ...openDevice(device, 'read'), size: 64 * MiB }),
        openForWriting,
        growPartition: async () => 64 * MiB,
        mounts: () => readFileSync('/proc/mounts', 'utf8'),
        // The kernel of this machine loads ext4 by itself.
        filesystems: () => '\text4\n',
        say: () => {},
        onSlow: () => {},
      },
    );
  try {
    expect(await boot()).toBe('persistent');
    writeFileSync(join(target, 'file'), 'kept');
    expect(await boot()).toBe('persistent');
    execFileSync('umount', [target]);
    expect(await boot()).toBe('persistent');
    expect(readFileSync(join(target, 'file'), 'utf8')).toBe('kept');
    expect(commands).toEqual(['mke2fs', 'mount', 'mount']);
  } finally {
    spawnSync('umount', [target]);
    spawnSync('losetup', ['-d', loop]);
  }
});
