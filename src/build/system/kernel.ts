import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { Content, DirNode } from '../../formats/tree.ts';
import type { Lock } from '../lock.ts';
import type { Target } from '../target.ts';
import { file, inMemory, insert } from '../tree.ts';
import { buildInitramfs } from './initramfs.ts';
import { kernelPackage, lockLacks } from './locked.ts';
import { MODULE_LISTS, pickModules, wantedModules } from './modules.ts';
import { type FetchPackage, openPackage, type PickedFile } from './picks.ts';
import { TRYBOOT } from './tryboot.ts';

/** What is ours of what runs between the kernel and the root. */
export interface Ours {
  heart: Uint8Array;
  /** On a Raspberry Pi: the module that arms its one-shot boot. */
  tryboot?: Uint8Array;
}

/** Where things are in a kernel's package. */
function places(target: Target, lock: Lock) {
  const dtbs = target.boot.family === 'pi' ? target.boot.dtbs : [];
  return {
    image: `boot/vmlinuz-${lock.kernel}`,
    modules: `usr/lib/modules/${lock.kernel}/`,
    dtbs: dtbs.map((name) => ({ name, path: `usr/lib/linux-image-${lock.kernel}/broadcom/${name}.dtb` })),
    copyright: `usr/share/doc/${kernelPackage(target, lock).name}/copyright`,
  };
}

/** Of the kernel's package: the image, the modules that the target wants, unpacked, device trees, and the licence. */
export async function pickKernel(target: Target, lock: Lock, fetch: FetchPackage): Promise<PickedFile[]> {
  const { image, modules, dtbs, copyright } = places(target, lock);
  const single = [image, ...dtbs.map(({ path }) => path), copyright];
  const deb = await openPackage(
    kernelPackage(target, lock),
    fetch,
    (path) => path.startsWith(modules) || single.includes(path),
  );
  const files = filesByPath(
    deb.members.flatMap((member) => (member.type === 'file' ? [{ ...member, mode: 0o644 }] : [])),
  );
  const picked = new Map<string, Uint8Array>();
  for (const path of [...single, ...MODULE_LISTS.map((name) => modules + name)]) {
    const bytes = files.get(path);
    if (bytes) picked.set(path, bytes);
  }
  for (const { path, bytes } of (await wantedModules(target.modules, modules, files)).values())
    picked.set(modules + path, bytes);
  return [...picked].map(([path, bytes]) => ({ path, type: 'file', mode: 0o644, bytes }));
}

/** Puts modules and licence into the root, and kernel, device trees and initramfs among the parts. */
export async function addKernel(
  target: Target,
  lock: Lock,
  picked: readonly PickedFile[],
  { heart, tryboot }: Ours,
  root: DirNode,
  parts: Map<string, Content>,
): Promise<void> {
  const { image, modules, dtbs, copyright } = places(target, lock);
  const files = filesByPath(picked);
  const need = (path: string): Uint8Array => {
    const bytes = files.get(path);
    if (bytes) return bytes;
    throw lockLacks(target, path);
  };
  // The Pi's firmware unpacks gzip, which a third of the size; an EFI kernel of x86 is packed already. The pinned
  // Node's zlib gives the same bytes on arm64, with and without its CRC instructions, as on x86_64.
  const kernel = target.boot.family === 'pi' ? await promisify(gzip)(need(image), { level: 9 }) : need(image);
  parts.set('kernel', inMemory(kernel));
  for (const { name, path } of dtbs) parts.set(`dtb/${name}`, inMemory(need(path)));
  const licence = files.get(copyright);
  if (licence) insert(root, 'usr/share/doc/linux/copyright', file(licence));

  const wanted = { ...target.modules };
  if (tryboot) {
    // Where depmod's own rules put what does not come with the kernel. heart may need it before there is a hearthd.
    files.set(`${modules}extra/${TRYBOOT}.ko`, tryboot);
    wanted.always = [...wanted.always, TRYBOOT];
  }
  const { files: ofRoot, boot, loadList } = await pickModules(wanted, modules, files);
  for (const [path, bytes] of ofRoot) insert(root, `${modules}${path}`, file(bytes));
  const mtime = Math.floor(Date.parse(lock.date) / 1000);
  parts.set('initramfs', inMemory(await buildInitramfs(heart, boot, loadList, mtime)));
}

function filesByPath(files: readonly PickedFile[]): Map<string, Uint8Array> {
  return new Map(files.flatMap((each) => (each.type === 'file' ? [[each.path, each.bytes] as const] : [])));
}
