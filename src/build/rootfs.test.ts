import { chmodSync, cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { FirmwareInfo } from '../device/firmware-info.ts';
import { parseFirmwareInfo } from '../device/firmware-info.ts';
import type { TreeNode } from '../formats/tree.ts';
import { type Project, resolveConfig } from '../project/load.ts';
import { IDENTITY } from '../update/layout.ts';
import { addFirmware, addIdentity, addSkeleton } from './rootfs.ts';
import { directory, treeHash, walk } from './tree.ts';

const SKELETON = fileURLToPath(new URL('../../firmware/rootfs/', import.meta.url));
const KEY =
  'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGNM+vGprIe+aXeWchGBLdxDPwtfIPTFPW5KTMdsBQqQ hearth-example-key';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'hearth-rootfs-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

async function skeleton(folder?: string): Promise<Map<string, TreeNode>> {
  const root = directory();
  await addSkeleton(root, folder);
  return new Map(walk(root));
}

async function text(nodes: Map<string, TreeNode>, path: string): Promise<string> {
  const node = nodes.get(path);
  if (node?.type !== 'file') throw new Error(`${path} is not a file`);
  return Buffer.from(await node.content.read()).toString();
}

describe('the skeleton', () => {
  test('belongs to root, with the modes of its places', async () => {
    const nodes = await skeleton();
    const modes = [...nodes].map(([path, { type, mode, uid, gid }]) => [
      path,
      type,
      mode.toString(8),
      uid,
      gid,
    ]);
    expect(modes).toEqual(
      modes.map(([path, type]) => {
        const executable = String(path).startsWith('usr/lib/hearth/');
        const mode =
          type === 'symlink' ? '777' : path === 'root' ? '700' : type === 'dir' || executable ? '755' : '644';
        return [path, type, mode, 0, 0];
      }),
    );
    expect(nodes.get('usr/lib/hearth/udhcpc.script')).toMatchObject({ type: 'file', mode: 0o755 });
    expect(nodes.get('etc/passwd')).toMatchObject({ type: 'file', mode: 0o644 });
  });

  test('has every file of firmware/rootfs, and what heart and hearthd expect', async () => {
    const nodes = await skeleton();
    const files = readdirSync(SKELETON, { recursive: true, withFileTypes: true }).filter((entry) =>
      entry.isFile(),
    );
    expect(files.length).toBeGreaterThan(3);
    for (const { parentPath, name } of files)
      expect(nodes.has(join(parentPath, name).slice(SKELETON.length))).toBe(true);
    for (const path of ['data', 'dev', 'proc', 'run', 'sys', 'tmp', 'srv/app'])
      expect(nodes.get(path)?.type).toBe('dir');
    expect(nodes.get('init')).toMatchObject({ type: 'symlink', target: 'usr/sbin/heart' });
  });

  test('has a rescue script that looks for the identity where it is', async () => {
    const script = await text(await skeleton(), 'usr/lib/hearth/rescue.sh');
    expect(script).toContain(`IDENTITY_SIZE=${IDENTITY.size}\n`);
    expect(script).toContain(`IDENTITY_OFFSETS='${IDENTITY.offsets.join(' ')}'\n`);
  });

  test('B2: does not take its modes from the checkout, where a umask has changed them', async () => {
    cpSync(SKELETON, dir, { recursive: true });
    for (const entry of readdirSync(dir, { recursive: true, withFileTypes: true }))
      chmodSync(join(entry.parentPath, entry.name), entry.isDirectory() ? 0o700 : 0o600);
    const [ours, theirs] = [directory(), directory()];
    await addSkeleton(ours);
    await addSkeleton(theirs, `${dir}/`);
    expect(treeHash(theirs)).toBe(treeHash(ours));
  });

  test('without its folder the toolkit is damaged, and says so', async () => {
    await expect(skeleton(join(dir, 'gone'))).rejects.toMatchObject({
      code: 'toolkit-damaged',
      where: join(dir, 'gone'),
    });
  });
});

describe('a firmware', () => {
  const info: Omit<FirmwareInfo, 'uuid'> = {
    product: 'sensor',
    version: '1.2.3',
    target: 'rpi3',
    console: 'log',
    dev: false,
    exampleKey: false,
    app: {
      beatTimeoutMs: 1,
      maxRestarts: 1,
      restartWindowMs: 1,
      stopTimeoutMs: 1,
      onUnhealthy: 'stay',
      env: {},
    },
    network: { hostname: 'kitchen', dhcp: true },
    sshKeys: [],
    updateKeys: [],
    update: { healthySeconds: 30, trialSeconds: 300, validate: 'auto' },
    data: { commitSeconds: 5 },
    kernelVersion: '6.12.1',
  };
  const bundle = (code: string, addons: [string, Uint8Array][] = []) => ({
    code: Buffer.from(code),
    map: Buffer.from('{}'),
    addons: new Map(addons),
  });

  function firmware(change: object = {}, more: Partial<typeof info> = {}): Map<string, TreeNode> {
    const config = resolveConfig(
      { name: 'sensor', version: '1.2.3', app: 'x', targets: ['rpi3'], updateKeys: [KEY], ...change },
      'fw.config.ts',
    );
    const project: Project = { dir, configFile: 'fw.config.ts', config };
    const root = directory();
    addFirmware(root, {
      hearthd: {
        files: new Map([
          ['hearthd.mjs', Buffer.from('hearthd')],
          ['hearthd-1.mjs', Buffer.from('later')],
        ]),
      },
      app: bundle('app', [['binding.node', Buffer.from('addon')]]),
      project,
      info: { ...info, ...more },
    });
    addIdentity(root, { ...info, ...more, uuid: 'the-uuid' });
    return new Map(walk(root));
  }

  test('adds both programs, the addons, and what the app was configured with', async () => {
    const nodes = firmware({ config: { port: 80, deep: { list: [1, 'ü'] } } });
    expect(await text(nodes, 'usr/lib/hearth/hearthd.mjs')).toBe('hearthd');
    expect(await text(nodes, 'usr/lib/hearth/hearthd-1.mjs')).toBe('later');
    expect(await text(nodes, 'srv/app/app.mjs')).toBe('app');
    expect(await text(nodes, 'srv/app/binding.node')).toBe('addon');
    expect(JSON.parse(await text(nodes, 'srv/app/config.json'))).toEqual({
      port: 80,
      deep: { list: [1, 'ü'] },
    });
    expect(await text(nodes, 'etc/hostname')).toBe('kitchen\n');
  });

  test('says who it is in the words that hearthd reads', async () => {
    const nodes = firmware();
    expect(await text(nodes, 'etc/hearth/uuid')).toBe('the-uuid\n');
    expect(parseFirmwareInfo(await text(nodes, 'etc/hearth/firmware.json'))).toEqual({
      ...info,
      uuid: 'the-uuid',
    });
  });

  test('says that there is no DHCP in the words that the rescue script looks for', async () => {
    const script = readFileSync(join(SKELETON, 'usr/lib/hearth/rescue.sh'), 'utf8');
    const [, words = 'none'] = /^grep -q '(.+)' \/etc\/hearth\/firmware\.json && exit$/m.exec(script) ?? [];
    const network = { hostname: 'kitchen', dhcp: false };
    expect(await text(firmware({}, { network }), 'etc/hearth/firmware.json')).toContain(words);
    expect(await text(firmware(), 'etc/hearth/firmware.json')).not.toContain(words);
  });

  test('lists who may log in where it can be read without hearthd, and nobody unless told', async () => {
    expect(firmware().has('etc/hearth/authorized-keys')).toBe(false);
    const open = firmware({}, { sshKeys: [KEY, `${KEY} too`] });
    expect(await text(open, 'etc/hearth/authorized-keys')).toBe(`${KEY}\n${KEY} too\n`);
  });

  test('signed with the example key carries the mark of it, and no other does', () => {
    expect(firmware().has('etc/hearth/example-key')).toBe(false);
    expect(firmware({}, { exampleKey: true }).has('etc/hearth/example-key')).toBe(true);
  });
});
