import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { generateKey } from '../../archive/index.ts';
import { IdentityStore } from '../../update/identity.ts';
import { MiB } from '../../update/layout.ts';
import { Pages } from '../../update/pages.ts';
import { SimulatedDisk } from '../../update/test-simulated-disk.ts';
import { systemExec } from '../exec.ts';
import { DeviceIdentity } from '../identity.ts';
import { openSsh } from './keys.ts';

const [KEY, ANOTHER] = ['me', 'another'].map((comment) => generateKey(comment).publicKey.trim()) as [
  string,
  string,
];

let folder: string;
let disk: SimulatedDisk;
let made: number;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hearth-ssh-'));
  disk = new SimulatedDisk(new Pages(16 * MiB));
  made = 0;
});
afterEach(() => rmSync(folder, { recursive: true }));

const own = (): string => join(folder, 'ssh');
const text = (name: string): string => readFileSync(join(own(), name), 'latin1');
/** As dropbearkey is called; each key is another. */
function exec(program: string, args: readonly string[]) {
  expect([program, ...args.slice(0, 3)]).toEqual(['dropbearkey', '-t', 'ed25519', '-f']);
  return systemExec()('sh', ['-c', `test ! -e "$1" && printf 'key ${++made}' >"$1"`, 'sh', args[3] ?? '']);
}
const open = (authorizedKeys: string[], serial?: string) =>
  openSsh(
    new DeviceIdentity(async () => disk, serial),
    { folder: own(), dropbearkey: 'dropbearkey', authorizedKeys },
    exec,
  );

test('the host key is made once, and whoever the firmware names may log in', async () => {
  expect(await open([KEY, ANOTHER], 'pi-17')).toBe('open');
  expect(text('host_key')).toBe('key 1');
  expect(text('authorized_keys')).toBe(`${KEY}\n${ANOTHER}\n`);
  expect(statSync(own()).mode & 0o777).toBe(0o700);
  for (const name of ['host_key', 'authorized_keys'])
    expect(statSync(join(own(), name)).mode & 0o777).toBe(0o600);
  // After a reboot /run is empty, and the firmware may be another.
  rmSync(own(), { recursive: true });
  expect(await open([KEY], 'another')).toBe('open');
  expect([made, text('host_key'), text('authorized_keys')]).toEqual([1, 'key 1', `${KEY}\n`]);
  expect((await IdentityStore.open(disk)).identity?.serial).toBe('pi-17');
});

test('keys of the identity area count too; with none at all nothing is opened, and the device has a serial all the same', async () => {
  expect(await open([])).toBe('closed');
  expect(() => text('host_key')).toThrow('ENOENT');
  const store = await IdentityStore.open(disk);
  expect(store.identity?.serial).toMatch(/^[0-9a-f]{16}$/);
  await store.write({ serial: 's', operatorKeys: [KEY] });
  expect(await open([])).toBe('open');
  expect(text('authorized_keys')).toBe(`${KEY}\n`);
});

test('where no key can be made, it is said why, and nothing is half there', async () => {
  const options = { folder: own(), dropbearkey: '/nowhere', authorizedKeys: [KEY] };
  const identity = new DeviceIdentity(async () => disk, undefined);
  await expect(openSsh(identity, options, systemExec())).rejects.toThrow('ENOENT');
  expect(() => text('authorized_keys')).toThrow('ENOENT');
});
