import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import { FwError } from '../../errors.ts';
import type { Content, DirNode } from '../../formats/tree.ts';
import { APPLETS } from '../applets.ts';
import type { Cache } from '../cache.ts';
import type { Lock, LockedPackage } from '../lock.ts';
import type { OnProgress } from '../progress.ts';
import { addSkeleton } from '../rootfs.ts';
import type { Progress } from '../sources/fetch.ts';
import type { Target } from '../target.ts';
import type { LoadedTarget } from '../targets.ts';
import { directory, file, inMemory, insert, symlink, treeHash } from '../tree.ts';
import { checkElfFiles } from './elf-check.ts';
import { readHeart } from './heart.ts';
import { buildInitramfs } from './initramfs.ts';
import { pickModules } from './modules.ts';
import { addNode } from './node.ts';
import { openPackage, pickFiles } from './picks.ts';
import { openSystem, type StoredSystem, storeSystem } from './store.ts';

/** A target's kernel, userland and Node, without any app. */
export interface System {
  /** Hash of everything that it is made from. */
  key: string;
  /** The root, to be added to; file contents are read when needed. */
  root: DirNode;
  /** `kernel`, `initramfs`, `loader`, `stub`, `dtb/NAME`, or the path of a Pi's firmware blob. */
  part(name: string): Promise<Uint8Array>;
  /** Whether it came from the cache whole. */
  cached: boolean;
}

const STEP = 'preparing the system';

/** Raised when the code below makes other systems from the same inputs. */
const PIPELINE = 2;

/** The system of a target: from the cache when nothing that it depends on has changed, else made from the lock. */
export async function prepareSystem(
  { target, lock }: LoadedTarget,
  cache: Cache,
  tell: OnProgress,
): Promise<System> {
  tell({ step: STEP });
  const heart = readHeart(target.arch);
  const skeleton = directory();
  await addSkeleton(skeleton);
  const key = systemKey(target, lock, heart, skeleton);
  const found = await cache.get('systems', key);
  const opened = found && (await openSystem(JSON.parse(found.toString('utf8')) as StoredSystem, cache));
  if (opened) return { key, root: opened.root, part: partOf(opened.parts), cached: true };

  const { root, parts } = await makeSystem(target, lock, heart, skeleton, cache, tell);
  const stored = await storeSystem(root, parts, cache);
  await cache.put('systems', key, Buffer.from(JSON.stringify(stored)));
  return { key, root, part: partOf(parts), cached: false };
}

function systemKey(target: Target, lock: Lock, heart: Uint8Array, skeleton: DirNode): string {
  const { description: _, console: __, ...content } = target;
  return createHash('sha256')
    .update(
      JSON.stringify({
        PIPELINE,
        content,
        lock,
        APPLETS,
        skeleton: treeHash(skeleton),
        zlib: process.versions.zlib,
        zstd: process.versions.zstd,
      }),
    )
    .update(heart)
    .digest('hex');
}

async function makeSystem(
  target: Target,
  lock: Lock,
  heart: Uint8Array,
  root: DirNode,
  cache: Cache,
  tell: OnProgress,
): Promise<{ root: DirNode; parts: Map<string, Content> }> {
  const progress: Progress = (name, done, total) =>
    tell({ step: `fetching ${name}`, bytes: { done, total } });
  const unpacking = (name: string): void => tell({ step: STEP, detail: `unpacking ${name}` });
  const parts = new Map<string, Content>();
  const [kernelPackage] = lock.packages;
  if (!kernelPackage) throw lockLacks(target, 'a kernel');

  for (const pick of target.packages) {
    unpacking(pick.name);
    await pickFiles(pick, lockedPackage(target, lock, pick.name), cache, progress, root);
  }
  unpacking(lock.node.package);
  await addNode(lock, target.arch, cache, root);
  unpacking(kernelPackage.name);
  await addKernel(target, lock, kernelPackage, heart, cache, progress, root, parts);

  insert(root, 'usr/sbin/heart', file(heart, 0o755));
  for (const name of APPLETS) insert(root, `usr/bin/${name}`, symlink('busybox'));
  if (target.arch === 'x86_64') insert(root, 'lib64', symlink('usr/lib64'));
  takeBootFiles(target, root, parts);
  await checkElfFiles(root, target.arch);
  return { root, parts };
}

async function addKernel(
  target: Target,
  lock: Lock,
  pkg: LockedPackage,
  heart: Uint8Array,
  cache: Cache,
  progress: Progress,
  root: DirNode,
  parts: Map<string, Content>,
): Promise<void> {
  const image = `boot/vmlinuz-${lock.kernel}`;
  const modules = `usr/lib/modules/${lock.kernel}/`;
  const dtbFolder = `usr/lib/linux-image-${lock.kernel}/broadcom/`;
  const dtbs = target.boot.family === 'pi' ? target.boot.dtbs : [];
  const deb = await openPackage(
    pkg,
    cache,
    progress,
    (path) =>
      path === image ||
      path.startsWith(modules) ||
      path === `usr/share/doc/${pkg.name}/copyright` ||
      dtbs.some((name) => path === `${dtbFolder}${name}.dtb`),
  );
  const files = new Map(
    deb.members.flatMap((member) => (member.type === 'file' ? [[member.path, member.bytes] as const] : [])),
  );
  const need = (path: string): Uint8Array => {
    const bytes = files.get(path);
    if (bytes) return bytes;
    throw lockLacks(target, path);
  };
  // The Pi's firmware unpacks gzip, which a third of the size; an EFI kernel of x86 is packed already.
  const kernel = target.boot.family === 'pi' ? await promisify(gzip)(need(image), { level: 9 }) : need(image);
  parts.set('kernel', inMemory(kernel));
  for (const name of dtbs) parts.set(`dtb/${name}`, inMemory(need(`${dtbFolder}${name}.dtb`)));
  const copyright = files.get(`usr/share/doc/${pkg.name}/copyright`);
  if (copyright) insert(root, 'usr/share/doc/linux/copyright', file(copyright));

  const picked = await pickModules(target.modules, modules, files);
  for (const [path, bytes] of picked.files) insert(root, `${modules}${path}`, file(bytes));
  parts.set(
    'initramfs',
    inMemory(
      await buildInitramfs(heart, picked.boot, picked.loadList, Math.floor(Date.parse(lock.date) / 1000)),
    ),
  );
}

/** Boot loader, stub and firmware blobs are packed into payloads of their own: they leave the root. */
function takeBootFiles({ boot }: Target, root: DirNode, parts: Map<string, Content>): void {
  const take = (path: string, name: string): void => {
    const components = path.split('/');
    const base = components.pop() ?? '';
    let at: DirNode = root;
    for (const component of components) {
      const next = at.entries.get(component);
      if (next?.type !== 'dir') throw new Error(`${path} is not in the system`);
      at = next;
    }
    const node = at.entries.get(base);
    if (node?.type !== 'file') throw new Error(`${path} is not in the system`);
    at.entries.delete(base);
    parts.set(name, node.content);
  };
  if (boot.family === 'uefi') {
    take(boot.stub, 'stub');
    take(boot.loader, 'loader');
  } else {
    take(boot.bootcode, 'loader');
    for (const path of boot.blobs) take(path, path);
  }
}

function partOf(parts: Map<string, Content>): System['part'] {
  return async (name) => {
    const content = parts.get(name);
    if (!content) throw new Error(`the system has no part ${name}`);
    return content.read();
  };
}

function lockedPackage(target: Target, lock: Lock, name: string): LockedPackage {
  const found = lock.packages.find((pkg) => pkg.name === name);
  if (found) return found;
  throw lockLacks(target, name);
}

function lockLacks(target: Target, what: string): FwError {
  return new FwError('lock-incomplete', `the lock of ${target.name} lacks ${what}`, {
    where: `targets/${target.name}/lock.json`,
    remedy: 'Install hearthfw again; in a checkout of Hearth, run `npm run lock`.',
  });
}
