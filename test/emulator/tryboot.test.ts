import { afterAll, beforeAll, expect, test } from 'vitest';
import { writeImage } from '../../src/build/image.ts';
import { readFat } from '../../src/formats/fat/index.ts';
import type { Machine } from '../../src/host/machine.ts';
import { DiskFile } from '../../src/update/disk-file.ts';
import { findPlaces } from '../../src/update/places.ts';
import { buildExample, temporaryFolder } from '../firmware.ts';
import { withMachine } from './harness.ts';

const BOOT = { timeoutMs: 240_000 };
/** Four boots, of which three are needed as far as the shell. */
const TIMEOUT_MS = 600_000;
const ARM = '/sys/module/hearth_tryboot/parameters/arm';
const PIECE = 1024 ** 2;

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let image: string;
beforeAll(async () => {
  folder = await temporaryFolder();
  const firmware = await buildExample('hello', 'rpi3', folder.path);
  image = `${folder.path}/rpi3.img`;
  await writeImage(firmware.path, image, { size: 1024 ** 3 });
  await copySlot(image);
});
afterAll(() => folder[Symbol.asyncDispose]());

/** Slot b becomes what slot a is, and knows that it is slot b. */
async function copySlot(path: string): Promise<void> {
  const disk = await DiskFile.open(path);
  const { a, b } = findPlaces(disk, 'mbr').slots;
  for (const part of ['boot', 'root'] as const) {
    for (let at = 0; at < a[part].length; at += PIECE) {
      const bytes = await disk.read(a[part].offset + at, Math.min(PIECE, a[part].length - at));
      if (bytes.some((byte) => byte !== 0)) await disk.write(b[part].offset + at, bytes);
    }
  }
  const boot = readFat((offset, length) => disk.readAt(b.boot.offset + offset, length));
  const [extent] = boot.extents('cmdline.txt');
  if (!extent) throw new Error('slot b has no cmdline.txt');
  const place = b.boot.offset + extent.offset;
  const text = Buffer.from(await disk.read(place, extent.length)).toString('latin1');
  expect(text).toContain('hearth.slot=a');
  await disk.write(place, Buffer.from(text.replace('hearth.slot=a', 'hearth.slot=b'), 'latin1'));
  await disk.flush();
  await disk.close();
}

/** Which slot boots, as soon as heart says it: in the initramfs. */
async function nextSlot({ console }: Machine): Promise<string | undefined> {
  return (await console.waitFor(/\[hearth\] slot (.) of rpi3: /, BOOT))[1];
}

async function reboot(machine: Machine): Promise<void> {
  const reset = machine.waitForReset(BOOT);
  await machine.shell.send('kill -TERM 1');
  await reset;
}

test(
  'a Raspberry Pi boots the other slot once, after an armed restart and nothing else, and powers off',
  async () => {
    await withMachine({ emulator: 'raspi3b', image }, async (machine) => {
      expect(await nextSlot(machine)).toBe('a');
      // heart has loaded it before there was a hearthd: its last resort needs it.
      expect(await machine.shell.text(`cat ${ARM}`)).toBe('N');
      await machine.shell.text('heart one-shot b');
      expect(await machine.shell.text(`cat ${ARM}`)).toBe('Y');
      await reboot(machine);
      expect(await nextSlot(machine)).toBe('b');
      expect(await machine.shell.text(`cat ${ARM}`)).toBe('N');

      await reboot(machine);
      expect(await nextSlot(machine)).toBe('a');
      // Armed, but reset by something else than the kernel: a power cut, the watchdog.
      await machine.shell.text(`echo 1 > ${ARM}`);
      await machine.reset();
      expect(await nextSlot(machine)).toBe('a');
      expect(await machine.shell.text('cat /proc/device-tree/model')).toContain('Raspberry Pi 3 Model B');
      await machine.shell.send('kill -USR2 1');
      expect((await machine.exited).reason).toBe('guest-shutdown');
    });
  },
  TIMEOUT_MS,
);
