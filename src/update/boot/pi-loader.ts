import { readFile } from 'node:fs/promises';
import { FwError } from '../../errors.ts';

/** What a board's device tree says of the boot loader that reads autoboot.txt on it. */
export interface PiLoader {
  /** Of the board and its chip, as in the tree's root: `raspberrypi,4-model-b`, `brcm,bcm2711`. */
  compatible: readonly string[];
  /** Seconds since 1970; undefined when the boot loader does not say. */
  built: number | undefined;
  /** Its commit; undefined when the boot loader does not say. */
  version: string | undefined;
}

/**
 * "Tryboot enhancements for A/B partition booting" (release notes of rpi-eeprom's firmware-2711): [tryboot] in autoboot.txt and
 * `tryboot_a_b`. Older ones do not know the section, and look for `tryboot.txt` in the place of config.txt: no trial would ever boot
 * what it should. From the field: one of April 2021 fails, one of January 2023 works.
 */
const OLDEST = Date.UTC(2022, 9, 18) / 1000;
/** Pi 4 and 5, and their relatives, have theirs in an EEPROM. Elsewhere it is bootcode.bin on the card, which is ours. */
const WITH_EEPROM = ['brcm,bcm2711', 'brcm,bcm2712'];

const FOLDER = 'chosen/bootloader';

/**
 * Makes sure that a board can try a slot once.
 * @throws FwError `bootloader-too-old`
 */
export function requireOneShot({ compatible, built, version }: PiLoader): void {
  if (!compatible.some((each) => WITH_EEPROM.includes(each))) return;
  if (built !== undefined && built >= OLDEST) return;
  const age = built === undefined ? 'of before it said so' : `of ${day(built)}`;
  const which = version ? ` (${version.slice(0, 8)})` : '';
  throw new FwError(
    'bootloader-too-old',
    `the board's boot loader is ${age}${which}: it cannot try an update`,
    {
      where: `/proc/device-tree/${FOLDER}`,
      expected: `the boot loader of ${day(OLDEST)} or a later one in the board's EEPROM`,
      remedy:
        'Update the EEPROM: start Raspberry Pi OS on this board and run `sudo rpi-eeprom-update -a`, ' +
        "or start the board once from a card with Raspberry Pi Imager's bootloader image.",
    },
  );
}

function day(seconds: number): string {
  return new Date(seconds * 1000).toISOString().slice(0, 10);
}

/** @param tree where the kernel shows the device tree */
export async function readPiLoader(tree = '/proc/device-tree'): Promise<PiLoader> {
  const built = await property(`${tree}/${FOLDER}/build-timestamp`);
  const [version] = strings(await property(`${tree}/${FOLDER}/version`));
  return {
    compatible: strings(await property(`${tree}/compatible`)),
    built: built?.length === 4 ? built.readUInt32BE() : undefined,
    version,
  };
}

async function property(path: string): Promise<Buffer | undefined> {
  try {
    return await readFile(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
}

/** A property of strings: each ends with a zero. */
function strings(bytes: Buffer | undefined): string[] {
  return bytes ? bytes.toString('latin1').split('\0').filter(Boolean) : [];
}
