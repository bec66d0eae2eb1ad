import { execFile } from 'node:child_process';
import { mkdir, mkdtemp, open, readdir, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { writeFdt } from '../../formats/fdt/index.ts';

const run = promisify(execFile);
const MiB = 1024 * 1024;

/** A partition of a test's SD card; sizes in MiB. */
export interface CardPartition {
  size: number;
  /** As sfdisk takes it; default `c`. */
  type?: string;
  /** For mkfs.fat; default 16. Undefined files: no file system at all. */
  fat?: 12 | 16 | 32;
  files?: Record<string, string | Uint8Array>;
}

export interface CardOptions {
  partitions: CardPartition[];
  label?: 'dos' | 'gpt';
}

/** An SD card made by sfdisk, mkfs.fat and mtools, none of them ours. Gives the image's path. */
export async function makeCard(folder: string, options: CardOptions): Promise<string> {
  const dir = await mkdtemp(join(folder, 'card-'));
  const image = join(dir, 'sd.img');
  const { partitions, label = 'dos' } = options;
  let start = 1;
  const places = partitions.map((partition) => {
    const place = { ...partition, start };
    start += partition.size;
    return place;
  });
  await using file = await open(image, 'w');
  await file.truncate((start + 1) * MiB);
  const lines = places.map(({ start: at, size, type = label === 'gpt' ? 'U' : 'c' }) => {
    const units = MiB / 512;
    return `start=${at * units},size=${size * units},type=${type}`;
  });
  // An image is no device: there is no kernel to tell, which sfdisk would wait for.
  const sfdisk = run('/sbin/sfdisk', ['--quiet', '--no-reread', '--no-tell-kernel', image]);
  sfdisk.child.stdin?.end(`label: ${label}\n${lines.join('\n')}\n`);
  await sfdisk;
  for (const { start: at, size, fat = 16, files } of places) {
    if (files) await file.write(await fatImage(dir, { size, fat, files }), 0, size * MiB, at * MiB);
  }
  return image;
}

async function fatImage(
  dir: string,
  { size, fat, files }: { size: number; fat: number; files: Record<string, string | Uint8Array> },
): Promise<Uint8Array> {
  const image = join(await mkdtemp(join(dir, 'fat-')), 'fs.img');
  await using file = await open(image, 'w');
  await file.truncate(size * MiB);
  // FAT16 wants 4,085 clusters: one sector each, up to 16 MiB.
  const cluster = fat === 16 ? ['-s', String(Math.max(1, size / 16))] : [];
  await run('/sbin/mkfs.fat', ['-F', String(fat), ...cluster, image]);
  const source = await mkdtemp(join(dir, 'files-'));
  for (const [name, content] of Object.entries(files)) {
    const path = join(source, name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, content);
  }
  const names = (await readdir(source)).map((name) => join(source, name));
  if (names.length > 0) await run('mcopy', ['-s', '-i', image, ...names, '::']);
  return readFile(image);
}

/** A folder for a test's cards. */
export function cardFolder(): Promise<string> {
  return mkdtemp(join(tmpdir(), 'hearth-pi-'));
}

/** An arm64 Image as far as its magic number goes, with a name in it to tell one from another. */
export function image(name: string): Buffer {
  const bytes = Buffer.alloc(4096);
  bytes.write(name);
  bytes.write('ARM\x64', 56, 'latin1');
  return bytes;
}

export const DTB = writeFdt({
  root: { name: '', properties: new Map(), children: [] },
  reservations: [],
  bootCpu: 0,
});
export const AUTOBOOT = '[all]\ntryboot_a_b=1\nboot_partition=2\n[tryboot]\nboot_partition=3\n';
export const CONFIG =
  'arm_64bit=1\nupstream_kernel=1\nkernel=kernel8.img\ninitramfs initramfs.img followkernel\n';

export type Files = Record<string, string | Uint8Array>;

/** The files of a control partition. */
export const CONTROL: Files = { 'bootcode.bin': 'code', 'autoboot.txt': AUTOBOOT, 'config.txt': '' };

/** The files of a boot partition that boots. */
export function slot(name: string): Files {
  return {
    'start.elf': 'start',
    'fixup.dat': 'fixup',
    'config.txt': CONFIG,
    'cmdline.txt': `console=ttyS1 slot=${name}\n`,
    'kernel8.img': image(name),
    'initramfs.img': `initramfs ${name}`,
    'bcm2837-rpi-3-b.dtb': DTB,
  };
}
