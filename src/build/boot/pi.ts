import { FormatError, FwError } from '../../errors.ts';
import { sparseReader } from '../../formats/bytes.ts';
import { type FatFile, readFat, writeFat } from '../../formats/fat/index.ts';
import { FIRST_PARTITION, SECTOR } from '../../update/layout.ts';
import type { PiBoot } from '../target.ts';
import { type BootInput, commandLine } from './cmdline.ts';

/** The only bytes in which the boot partitions of slot a and b differ. */
export interface SlotVariant {
  /** Bytes from the start of the payload. */
  offset: number;
  a: Uint8Array;
  b: Uint8Array;
}

/** The FAT file system of a Pi's boot slot: firmware, kernel, initramfs, device trees, config.txt, cmdline.txt. */
export async function buildPiBoot(
  input: BootInput,
  boot: PiBoot,
): Promise<{ payload: Uint8Array; variant: SlotVariant }> {
  const cmdline = (slot: 'a' | 'b'): Uint8Array => Buffer.from(`${commandLine(input)} hearth.slot=${slot}\n`);
  const files: FatFile[] = [
    { path: 'cmdline.txt', content: cmdline('a') },
    { path: 'config.txt', content: Buffer.from(configTxt(boot)) },
    { path: 'kernel8.img', content: await input.part('kernel') },
    { path: 'initramfs.img', content: await input.part('initramfs') },
  ];
  for (const path of boot.blobs) {
    files.push({ path: path.split('/').at(-1) ?? path, content: await input.part(path) });
  }
  for (const name of boot.dtbs) files.push({ path: `${name}.dtb`, content: await input.part(`dtb/${name}`) });

  const image = fitting(input, boot, () =>
    writeFat(files, {
      type: 16,
      size: boot.slotSize,
      label: 'HEARTHBOOT',
      volumeId: Number.parseInt(input.uuid.slice(0, 8), 16),
      hiddenSectors: FIRST_PARTITION / SECTOR,
      time: input.time,
    }),
  );
  // What lies behind the last file is free space: it need not travel.
  const used = Math.max(...image.pieces.map(({ offset, bytes }) => offset + bytes.length));
  const payload = Buffer.from(sparseReader(image)(0, Math.ceil(used / SECTOR) * SECTOR));
  const [extent] = readFat(sparseReader(image)).extents('cmdline.txt');
  if (!extent) throw new Error('cmdline.txt has no place in the boot partition');
  return { payload, variant: { offset: extent.offset, a: cmdline('a'), b: cmdline('b') } };
}

/** The files' names are ours: what the writer can complain of is their size. */
function fitting<T>({ target }: BootInput, boot: PiBoot, write: () => T): T {
  try {
    return write();
  } catch (cause) {
    if (!(cause instanceof FormatError)) throw cause;
    throw new FwError('boot-too-large', `the boot files of ${target.name} are too large: ${cause.message}`, {
      where: 'the boot payload',
      expected: `at most ${boot.slotSize} bytes, the size of a boot slot`,
      remedy: "Take modules out of the target's `root` and `watchdog` lists.",
      cause,
    });
  }
}

function configTxt(boot: PiBoot): string {
  return [
    '# Written by Hearth.',
    ...boot.config,
    'kernel=kernel8.img',
    'initramfs initramfs.img followkernel',
    '',
  ].join('\n');
}
