import toolkit from '../../../package.json' with { type: 'json' };
import type { Content, DirNode } from '../../formats/tree.ts';
import { APPLETS } from '../applets.ts';
import type { Cache } from '../cache.ts';
import { sha256 } from '../hash.ts';
import type { Lock } from '../lock.ts';
import type { OnProgress } from '../progress.ts';
import { addSkeleton } from '../rootfs.ts';
import { type Sources, sourcesOf } from '../sources/index.ts';
import type { Target } from '../target.ts';
import type { LoadedTarget } from '../targets.ts';
import { directory, file, insert, symlink, treeHash } from '../tree.ts';
import { checkElfFiles } from './elf-check.ts';
import { readHeart } from './heart.ts';
import { picksKey, type SystemInputs } from './inputs.ts';
import { addKernel, type Ours } from './kernel.ts';
import { kernelPackage } from './locked.ts';
import { obtainInputs } from './obtain.ts';
import { place } from './picks.ts';
import { openSystem, type StoredSystem, storeSystem } from './store.ts';
import { readTryboot } from './tryboot.ts';

/** A target's kernel, userland and Node, without any app. */
export interface System {
  /** The root, to be added to; file contents are read when needed. */
  root: DirNode;
  /** `kernel`, `initramfs`, `loader`, `stub`, `dtb/NAME`, or the path of a Pi's firmware blob. */
  part(name: string): Promise<Uint8Array>;
  /** Hash of all parts: of their bytes, not of how they came to be. */
  partsHash: string;
  /** Whether it came from the cache whole. */
  cached: boolean;
}

const STEP = 'preparing the system';

/**
 * Raised when the code below makes other systems from the same inputs. By hand: which code that is, no hash can tell
 * that is not also changed by a comment or by being compiled. If it is forgotten, users are safe, because the
 * toolkit's version is in the key as well; for developers of Hearth, tests compare builds from an empty cache with
 * those from their own. No output depends on the key.
 */
const PIPELINE = 3;

/** The system of a target: from the cache when nothing that it depends on has changed, else made from the lock. */
export async function prepareSystem(
  loaded: LoadedTarget,
  cache: Cache,
  tell: OnProgress,
  sources: Sources = sourcesOf(process.env),
): Promise<System> {
  const { target, lock } = loaded;
  tell({ step: STEP });
  const ours = readOurs(target, lock);
  const skeleton = directory();
  await addSkeleton(skeleton);
  const key = systemKey(target, lock, ours, skeleton);
  const opened = await fromCache(key, cache);
  if (opened) return asSystem(opened, true);

  const inputs = await obtainInputs(loaded, cache, sources, {
    fetching: (name, done, total) => tell({ step: `fetching ${name}`, bytes: { done, total } }),
    unpacking: (name) => tell({ step: STEP, detail: `unpacking ${name}` }),
  });
  const made = await makeSystem(target, lock, inputs, ours, skeleton);
  const stored = await storeSystem(made.root, made.parts, cache);
  await cache.put('systems', key, Buffer.from(JSON.stringify(stored)));
  return asSystem(made, false);
}

/** Whether a build would find the whole system in the cache. */
export async function systemIsCached({ target, lock }: LoadedTarget, cache: Cache): Promise<boolean> {
  const skeleton = directory();
  await addSkeleton(skeleton);
  const key = systemKey(target, lock, readOurs(target, lock), skeleton);
  return (await fromCache(key, cache)) !== undefined;
}

async function fromCache(key: string, cache: Cache): ReturnType<typeof openSystem> {
  const found = await cache.get('systems', key);
  return found && openSystem(JSON.parse(found.toString('utf8')) as StoredSystem, cache);
}

/** What was compiled from sources of ours. */
function readOurs(target: Target, lock: Lock): Ours {
  const heart = readHeart(target.arch);
  return target.boot.family === 'pi' ? { heart, tryboot: readTryboot(lock) } : { heart };
}

function systemKey(target: Target, lock: Lock, { heart, tryboot }: Ours, skeleton: DirNode): string {
  return sha256(
    JSON.stringify({
      toolkit: toolkit.version,
      PIPELINE,
      picks: picksKey(target, lock),
      boot: target.boot,
      date: lock.date,
      APPLETS,
      skeleton: treeHash(skeleton),
      heart: sha256(heart),
      ...(tryboot ? { tryboot: sha256(tryboot) } : {}),
      zlib: process.versions.zlib,
      zstd: process.versions.zstd,
    }),
  );
}

function asSystem({ root, parts }: { root: DirNode; parts: Map<string, Content> }, cached: boolean): System {
  const hashes = [...parts].map(([name, content]) => [name, content.sha256]);
  return {
    root,
    partsHash: sha256(JSON.stringify(hashes.sort())),
    cached,
    async part(name) {
      const content = parts.get(name);
      if (!content) throw new Error(`the system has no part ${name}`);
      return content.read();
    },
  };
}

async function makeSystem(
  target: Target,
  lock: Lock,
  inputs: SystemInputs,
  ours: Ours,
  root: DirNode,
): Promise<{ root: DirNode; parts: Map<string, Content> }> {
  const parts = new Map<string, Content>();
  for (const name of [...target.packages.map((pick) => pick.name), lock.node.package])
    place(root, inputs.get(name) ?? []);
  const kernel = inputs.get(kernelPackage(target, lock).name) ?? [];
  await addKernel(target, lock, kernel, ours, root, parts);

  insert(root, 'usr/sbin/heart', file(ours.heart, 0o755));
  for (const name of APPLETS) insert(root, `usr/bin/${name}`, symlink('busybox'));
  if (target.arch === 'x86_64') insert(root, 'lib64', symlink('usr/lib64'));
  takeBootFiles(target, root, parts);
  await checkElfFiles(root, target.arch);
  return { root, parts };
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
