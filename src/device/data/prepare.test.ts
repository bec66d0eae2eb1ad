import { expect, test } from 'vitest';
import type { Result } from '../exec.ts';
import { type DataEffects, prepareData } from './prepare.ts';
import { parseSuperblock } from './superblock.ts';

// The order of decisions, with programs whose answers no real disk gives on demand: read errors, a write-protected
// card, an e2fsck that fails. The programs themselves run in test/real/device-data.test.ts.

/** A superblock as mke2fs writes it, in the fields that are read. */
function superblock(label: string, state = 1): Uint8Array {
  const bytes = new Uint8Array(1024);
  const view = new DataView(bytes.buffer);
  view.setUint32(4, 65_536, true);
  view.setUint32(0x18, 2, true);
  view.setUint16(0x38, 0xef53, true);
  view.setUint16(0x3a, state, true);
  bytes.set(Buffer.from(label), 0x78);
  expect(parseSuperblock(bytes)?.label).toBe(label);
  return bytes;
}

interface Script {
  /** Superblocks by their offset. */
  disk?: Record<number, Uint8Array>;
  read?: (offset: number) => Uint8Array;
  /** Exit status by the beginning of the command line; 0 otherwise. */
  fails?: Record<string, number>;
  mounts?: string;
  device?: string | undefined;
}

async function prepare(script: Script) {
  const commands: string[] = [];
  const said: string[] = [];
  const result: Result = {
    code: 0,
    signal: undefined,
    stdout: '',
    stderr: '',
    failure: undefined,
    timedOut: false,
  };
  const read = script.read ?? ((offset: number) => script.disk?.[offset] ?? new Uint8Array(1024));
  const effects: DataEffects = {
    exec: async (program, args) => {
      const line = [program, ...args].join(' ');
      commands.push(line);
      const failing = Object.entries(script.fails ?? {}).find(([start]) => line.startsWith(start));
      return { ...result, code: failing?.[1] ?? 0, stderr: failing ? 'it went wrong' : '' };
    },
    open: () => ({ read, size: 256 * 2 ** 20, [Symbol.dispose]() {} }),
    openForWriting: () => ({ read, writeSteps: () => commands.push('label'), [Symbol.dispose]() {} }),
    growPartition: async () => {
      commands.push('grow');
      return 512 * 2 ** 20;
    },
    mounts: () => script.mounts ?? '',
    filesystems: () => '\text4\n',
    say: (message) => said.push(message),
    onSlow: () => {},
  };
  const device = 'device' in script ? script.device : '/dev/vda5';
  const state = await prepareData({ device, target: '/data', commitSeconds: 5 }, effects);
  return {
    state,
    said,
    commands: commands.map((line) =>
      line
        .split(' ')
        .slice(0, line.startsWith('mount') ? 5 : 2)
        .join(' '),
    ),
  };
}

const MOUNT = 'mount -t ext4 -o rw,noatime,nodev,nosuid,errors=remount-ro,commit=5';
const MOUNT_RO = 'mount -t ext4 -o ro,noatime,nodev,nosuid,errors=remount-ro,commit=5';
const MEMORY = 'mount -t tmpfs -o mode=755,nodev,nosuid,size=25%';

test('first boot: the partition takes the room there is, then it is formatted', async () => {
  expect(await prepare({})).toEqual({
    state: 'persistent',
    said: ['making /data'],
    commands: ['grow', 'mke2fs -q', 'label', MOUNT],
  });
});

test('a format that was cut off is made again, whichever superblock tells of it (P11)', async () => {
  for (const offset of [1024, 32_768 * 4096]) {
    const { state, commands } = await prepare({ disk: { [offset]: superblock('hearth-making') } });
    expect([state, commands]).toEqual(['persistent', ['grow', 'mke2fs -q', 'label', MOUNT]]);
  }
});

test('after an orderly shutdown it is mounted at once', async () => {
  expect((await prepare({ disk: { 1024: superblock('hearth-data') } })).commands).toEqual([MOUNT]);
});

test('a file system of another label is somebody’s data, and is never formatted', async () => {
  expect((await prepare({ disk: { 1024: superblock('photos') } })).commands).toEqual([MOUNT]);
});

test('after anything else e2fsck looks first: gently, then thoroughly', async () => {
  const disk = { 1024: superblock('hearth-data', 0) };
  expect((await prepare({ disk })).commands).toEqual(['e2fsck -p', MOUNT]);
  const { commands, said } = await prepare({ disk, fails: { 'e2fsck -p': 4, 'e2fsck -f': 1 } });
  // Until it finds nothing, which this one never says: at most three times.
  expect(commands).toEqual(['e2fsck -p', 'e2fsck -f', 'e2fsck -f', 'e2fsck -f', MOUNT]);
  expect(said).toEqual(['/data has errors: repairing them', '/data was repaired: ']);
});

test('a superblock that says clean, and a kernel that disagrees', async () => {
  const { state, commands } = await prepare({
    disk: { 1024: superblock('hearth-data') },
    fails: { 'mount -t ext4': 32 },
  });
  expect(commands).toEqual([MOUNT, 'e2fsck -p', MOUNT, MOUNT_RO, MEMORY]);
  expect(state).toBe('volatile');
});

test('damaged beyond repair: memory, a reason, a remedy, and no format (R1)', async () => {
  const { state, said, commands } = await prepare({
    disk: { [32_768 * 4096]: superblock('hearth-data') },
    fails: { e2fsck: 8 },
  });
  // Once from the backup, then from the first superblock, which the first run may have made good.
  expect([state, commands]).toEqual(['volatile', ['e2fsck -f', 'e2fsck -f', 'e2fsck -f', MEMORY]]);
  expect(said[1]).toMatch(
    /gone at the next boot: the file system on \/dev\/vda5 cannot be repaired: e2fsck -y exited with 8: it went wrong/,
  );
});

test('a disk that cannot be read is not a blank disk (R1)', async () => {
  const { state, commands } = await prepare({
    read: () => {
      throw Object.assign(new Error('EIO: i/o error, read'), { code: 'EIO' });
    },
  });
  expect([state, commands]).toEqual(['volatile', [MEMORY]]);
});

test('a write-protected card is readable (R1)', async () => {
  const { state, said } = await prepare({
    disk: { 1024: superblock('hearth-data') },
    fails: { [MOUNT]: 32 },
  });
  expect(state).toBe('read-only');
  expect(said).toEqual(['/data is read-only: mount exited with 32: it went wrong']);
});

test('no partition, and a format that fails, end in memory (R1)', async () => {
  expect(await prepare({ device: undefined })).toMatchObject({ state: 'volatile', commands: [MEMORY] });
  expect(await prepare({ fails: { mke2fs: 1 } })).toMatchObject({
    state: 'volatile',
    commands: ['grow', 'mke2fs -q', MEMORY],
  });
});

test('a hearthd that was restarted finds its mount', async () => {
  for (const [mounts, state] of [
    ['/dev/vda5 /data ext4 rw 0 0', 'persistent'],
    ['/dev/vda5 /data ext4 ro,noatime 0 0', 'read-only'],
    ['hearth-volatile /data tmpfs rw 0 0', 'volatile'],
  ] as const) {
    expect(await prepare({ mounts })).toEqual({ state, said: [], commands: [] });
  }
});
