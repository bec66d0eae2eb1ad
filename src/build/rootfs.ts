import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { FirmwareInfo } from '../device/firmware-info.ts';
import { FwError } from '../errors.ts';
import type { DirNode } from '../formats/tree.ts';
import type { Project } from '../project/load.ts';
import type { Bundle, HearthdBundle } from './bundle/index.ts';
import { directory, file, insert, symlink } from './tree.ts';

/** Where Node, told to use source maps, looks for the one of the app. */
const MAP_COMMENT = Buffer.from('//# sourceMappingURL=app.mjs.map\n');

/**
 * What a change of the app changes, stored as it is: an update sends the difference to what the device has, and compressed
 * bytes have none that is small. docs/updates.md has the figures. Native addons are large and seldom change.
 */
export const PLAIN_FILES = ['app.mjs', 'app.mjs.map', 'config.json', 'package.json']
  .map((name) => `/srv/app/${name}`)
  .concat('/etc/hearth');

/** Puts the app, hearthd and what was configured onto a system's root. Changes and returns the tree. */
export function addFirmware(
  root: DirNode,
  parts: {
    hearthd: Pick<HearthdBundle, 'files'>;
    app: Pick<Bundle, 'code' | 'map' | 'addons'>;
    project: Project;
    info: Omit<FirmwareInfo, 'uuid'>;
  },
): DirNode {
  const { hearthd, app, project, info } = parts;
  for (const [name, bytes] of hearthd.files) insert(root, `usr/lib/hearth/${name}`, file(bytes));
  insert(root, 'srv/app/app.mjs', file(info.dev ? Buffer.concat([app.code, MAP_COMMENT]) : app.code));
  insert(root, 'srv/app/package.json', file('{"type":"module"}\n'));
  insert(root, 'srv/app/config.json', file(`${JSON.stringify(project.config.config)}\n`));
  // On the bench a stack trace that names the source is worth the bytes; hearthd sees the map and tells Node of it.
  if (info.dev) insert(root, 'srv/app/app.mjs.map', file(app.map));
  for (const [name, bytes] of app.addons) insert(root, `srv/app/${name}`, file(bytes, 0o755));
  insert(root, 'etc/hostname', file(`${info.network.hostname}\n`));
  // For the rescue script, which has no reader of JSON; hearthd reads its firmware.json.
  if (info.sshKeys.length > 0)
    insert(root, 'etc/hearth/authorized-keys', file(info.sshKeys.map((key) => `${key}\n`).join('')));
  if (info.exampleKey)
    insert(root, 'etc/hearth/example-key', file('This firmware is signed with the public example key.\n'));
  return root;
}

/** The files that name the firmware itself; added last, because the UUID is a hash of all others. */
export function addIdentity(root: DirNode, info: FirmwareInfo): void {
  insert(root, 'etc/hearth/uuid', file(`${info.uuid}\n`));
  insert(root, 'etc/hearth/firmware.json', file(`${JSON.stringify(info, null, 2)}\n`));
}

const SKELETON = new URL('../../firmware/rootfs/', import.meta.url);
/** Programs of the skeleton; modes do not come from the checkout, where a umask or another host may change them. */
const EXECUTABLE = /^(usr\/lib\/hearth\/|usr\/bin\/|usr\/sbin\/|sbin\/)/;
/** Mount points and links of a merged /usr. */
const FOLDERS = ['data', 'dev', 'proc', 'run', 'sys', 'tmp', 'mnt', 'root', 'srv/app'];
const LINKS: [path: string, target: string][] = [
  ['bin', 'usr/bin'],
  ['sbin', 'usr/sbin'],
  ['lib', 'usr/lib'],
  ['init', 'usr/sbin/heart'],
  ['usr/sbin/init', 'heart'],
  ['usr/sbin/modprobe', '../bin/busybox'],
  ['usr/sbin/mkfs.ext4', 'mke2fs'],
  ['usr/sbin/fsck.ext4', 'e2fsck'],
  ['etc/mtab', '/proc/mounts'],
  ['etc/resolv.conf', '/run/resolv.conf'],
  // Programs that insist on /var find its writable corners.
  ['var/run', '/run'],
  ['var/tmp', '/tmp'],
];

/** The skeleton of every root: folders, links and `firmware/rootfs`. */
export async function addSkeleton(root: DirNode, folder = fileURLToPath(SKELETON)): Promise<void> {
  for (const path of FOLDERS) insert(root, path, directory(path === 'root' ? 0o700 : 0o755));
  for (const [path, target] of LINKS) insert(root, path, symlink(target));
  if (!existsSync(folder))
    throw new FwError('toolkit-damaged', 'hearthfw lacks its firmware/rootfs folder', {
      where: folder,
      remedy: 'Install hearthfw again.',
    });
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const names = entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length));
  for (const path of names.sort()) {
    insert(root, path, file(await readFile(join(folder, path)), EXECUTABLE.test(path) ? 0o755 : 0o644));
  }
}
