import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { generateKey } from '../../src/archive/index.ts';
import { APPLETS } from '../../src/build/applets.ts';
import { Cache } from '../../src/build/cache.ts';
import { fetchPackage } from '../../src/build/sources/fetch.ts';
import { lockedPackage } from '../../src/build/system/locked.ts';
import { pickFiles } from '../../src/build/system/picks.ts';
import { loadTarget } from '../../src/build/targets.ts';
import { withKey } from '../../src/device/ssh/operator-keys.ts';
import { DiskFile } from '../../src/update/disk-file.ts';
import { type Identity, IdentityStore } from '../../src/update/identity.ts';
import { IDENTITY, MiB } from '../../src/update/layout.ts';
import { CACHE } from './fw.ts';

/** What the rescue script makes of a disk, under the busybox of a device and in the folders of one. */

const key = (comment: string): string => generateKey(comment).publicKey.trim();
const bare = (line: string): string =>
  line
    .split(/[ \t]+/)
    .slice(0, 2)
    .join(' ');
const [FIRMWARES, MINE, ANOTHER, HIDDEN] = ['the firmware', 'me', 'another', 'hidden'].map(key) as [
  string,
  string,
  string,
  string,
];
const HOST_KEY = 'the host key: \0\xff';

let dir: string;
let root: string;
let disk: string;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'hearth-rescue-'));
  root = join(dir, 'root');
  disk = join(dir, 'disk');
  cpSync(fileURLToPath(new URL('../../firmware/rootfs', import.meta.url)), root, { recursive: true });
  for (const folder of ['dev', 'etc/hearth', 'proc', 'run/hearth', 'usr/bin', 'usr/sbin'])
    mkdirSync(join(root, folder), { recursive: true });
  symlinkSync('usr/bin', join(root, 'bin'));
  for (const name of APPLETS) symlinkSync('busybox', join(root, 'usr/bin', name));
  const { target, lock } = await loadTarget(process.arch === 'arm64' ? 'qemu_arm64' : 'x86_64');
  const fetch = (pkg: typeof busybox) => fetchPackage(pkg, new Cache(CACHE), () => {});
  const busybox = lockedPackage(target, lock, 'busybox-static');
  const pick = { name: busybox.name, files: ['usr/bin/busybox'] };
  for (const file of await pickFiles(pick, busybox, fetch))
    if (file.path === 'usr/bin/busybox' && file.type === 'file')
      writeFileSync(join(root, file.path), file.bytes, { mode: 0o755 });
  writeFileSync(join(root, 'usr/sbin/dropbearkey'), '#!/bin/sh\necho "a new one" >"$4"\n', { mode: 0o755 });
  writeFileSync(join(root, 'disk'), '');
  // With DHCP the script goes on with the hardware.
  const info = { network: { hostname: 'kitchen', dhcp: false } };
  writeFileSync(join(root, 'etc/hearth/firmware.json'), JSON.stringify(info, null, 2));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

beforeEach(() => {
  rmSync(disk, { force: true });
  writeFileSync(disk, '');
  truncateSync(disk, 8 * MiB);
  firmwareKeys();
});

function firmwareKeys(...keys: string[]): void {
  writeFileSync(join(root, 'etc/hearth/authorized-keys'), keys.map((line) => `${line}\n`).join(''));
}

const identity = (more: Partial<Identity> = {}): Identity => ({
  serial: 's',
  hostKey: Buffer.from(HOST_KEY, 'latin1').toString('base64'),
  operatorKeys: [],
  ...more,
});

async function write(...identities: Identity[]): Promise<void> {
  const file = await DiskFile.open(disk);
  const store = await IdentityStore.open(file);
  for (const each of identities) await store.write(each);
  await file.close();
}

/** @param at of the identity's copy: 0 or 1 */
async function damage(at: 0 | 1): Promise<void> {
  const file = await open(disk, 'r+');
  await file.write('?', IDENTITY.offsets[at] + 40);
  await file.close();
}

interface Rescued {
  /** Lines of authorized_keys. */
  keys: string[];
  hostKey: string | undefined;
  /** What went to the kernel's log. */
  said: string[];
}

/** Its standard error stands for /dev/kmsg, and has to be a pipe: a socket cannot be opened. */
const LOOK = `
printf 'DISK=/disk\\n' >/run/hearth/boot
sh /usr/lib/hearth/rescue.sh 2>&1 >/dev/null | cat >&2
cd /run/hearth/ssh && ls | while read -r file; do echo $file $(busybox base64 -w 0 $file); done
`;

/** @param room of /run/hearth, in bytes */
function rescue(room: number = MiB): Rescued {
  const { status, stdout, stderr } = spawnSync(
    'bwrap',
    [
      ...['--unshare-all', '--die-with-parent', '--clearenv', '--setenv', 'PATH', '/usr/sbin:/usr/bin'],
      ...['--ro-bind', root, '/', '--ro-bind', disk, '/disk', '--proc', '/proc'],
      ...['--tmpfs', '/dev', '--dev-bind', '/dev/null', '/dev/null'],
      ...['--symlink', '/proc/self/fd/2', '/dev/kmsg'],
      ...['--size', String(room), '--tmpfs', '/run/hearth', '--', '/bin/sh', '-c', LOOK],
    ],
    { encoding: 'utf8' },
  );
  expect(status, stderr).toBe(0);
  const files = new Map(
    stdout.split('\n').map((line) => {
      const [name = '', base64 = ''] = line.split(' ');
      return [name, Buffer.from(base64, 'base64').toString('latin1')];
    }),
  );
  return {
    keys: (files.get('authorized_keys') ?? '').split('\n').slice(0, -1),
    hostKey: files.get('host_key'),
    said: stderr.split('\n').slice(0, -1),
  };
}

test('the firmware’s keys and those of the device may log in, to the daemon that they know', async () => {
  firmwareKeys(FIRMWARES);
  await write(identity(), identity({ operatorKeys: [MINE, ANOTHER] }));
  expect(rescue()).toEqual({ keys: [FIRMWARES, bare(MINE), bare(ANOTHER)], hostKey: HOST_KEY, said: [] });
});

test('keys of the firmware alone, and of the device alone, will do', async () => {
  await write(identity({ operatorKeys: [MINE] }));
  expect(rescue().keys).toEqual([bare(MINE)]);
  firmwareKeys(FIRMWARES);
  await write(identity());
  expect(rescue().keys).toEqual([FIRMWARES]);
});

test('where nobody may log in there is no daemon', async () => {
  await write(identity());
  expect(rescue()).toEqual({ keys: [], hostKey: undefined, said: [] });
});

test('a key may log in whatever stood between its words when it was added, today or to an older version', async () => {
  const lines = [MINE.replaceAll(' ', '\t'), ANOTHER.replaceAll(' ', '   ')];
  await write(identity({ operatorKeys: lines }));
  expect(rescue().keys).toEqual([bare(MINE), bare(ANOTHER)]);
  await write(lines.reduce((before, line) => withKey(before, [], line), identity()));
  expect(rescue().keys).toEqual([bare(MINE), bare(ANOTHER)]);
});

test.each([
  '"KEY',
  '["KEY"]',
  ',"KEY',
  String.raw`\",\"KEY`,
  '\\',
  '"]',
  '],"operatorKeys":["KEY"',
  'ü 😀 \u2028',
])('of a key’s comment nothing lets anybody in, nor keeps anybody out: %s', async (comment) => {
  const operatorKeys = [`${bare(MINE)} ${comment.replace('KEY', HIDDEN)}`, ANOTHER];
  await write(identity({ hostname: 'kitchen', operatorKeys }));
  expect(rescue().keys).toEqual([bare(MINE), bare(ANOTHER)]);
});

test('a list of a later version, beside that of the keys, lets nobody in', async () => {
  const later = { a: [HIDDEN], ...identity({ operatorKeys: [MINE] }), z: [HIDDEN] };
  await write(later);
  expect(rescue().keys).toEqual([bare(MINE)]);
});

test('as many keys as a device takes are all read', async () => {
  const all = Array.from({ length: 32 }, (_, at) => `${key('x'.repeat(900))}${at}`);
  await write(all.reduce((before, line) => withKey(before, [], line), identity()));
  expect(rescue()).toEqual({ keys: all.map(bare), hostKey: HOST_KEY, said: [] });
});

test('where the newer copy is damaged the older one counts, and it is said which one is', async () => {
  await write(identity({ operatorKeys: [MINE] }), identity({ operatorKeys: [ANOTHER] }));
  expect(rescue().keys).toEqual([bare(ANOTHER)]);
  await damage(1);
  expect(rescue()).toEqual({
    keys: [bare(MINE)],
    hostKey: HOST_KEY,
    said: [`<5>rescue: the identity at byte ${IDENTITY.offsets[1]} of /disk is damaged`],
  });
});

test('what cannot be read is told from what is not there; with no copy at all, SSH has a new host key', async () => {
  firmwareKeys(FIRMWARES);
  await write(identity({ operatorKeys: [MINE] }));
  truncateSync(disk, IDENTITY.offsets[0] + 100);
  expect(rescue()).toEqual({
    keys: [FIRMWARES],
    hostKey: 'a new one\n',
    said: [
      ...IDENTITY.offsets.map(
        (offset) => `<5>rescue: the identity at byte ${offset} of /disk cannot be read`,
      ),
      '<5>rescue: the disk gives no host key: SSH has a new one, until the next boot',
    ],
  });
  truncateSync(disk, 0);
  truncateSync(disk, 8 * MiB);
  expect(rescue().said).toHaveLength(1);
});

test('a /run that has hardly any room left is enough; where it has none it is said', async () => {
  await write(identity({ operatorKeys: [MINE] }));
  const page = 4096;
  expect(rescue(8 * page)).toEqual({ keys: [bare(MINE)], hostKey: HOST_KEY, said: [] });
  const full = rescue(2 * page);
  expect(full.hostKey).toBeUndefined();
  expect(full.said.at(-1)).toBe('<5>rescue: SSH stays closed: its keys cannot be written to /run/hearth/ssh');
});
