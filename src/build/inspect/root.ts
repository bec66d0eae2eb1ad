import * as z from 'zod';
import type { FirmwareFile } from '../../archive/index.ts';
import { payloadReader } from '../../archive/payload-reader.ts';
import { FIRMWARE_FILE } from '../../device/firmware-info.ts';
import { openSquashfs, type SquashfsReader } from '../../formats/squashfs/read/index.ts';
import { INVENTORY_FILE, type Inventory, parseInventory } from '../inventory/index.ts';

/** The few fields of /etc/hearth/firmware.json that are shown: of any version of Hearth, so none has to be there. */
const settings = z.object({
  dev: z.boolean().optional(),
  console: z.string().optional(),
  kernelVersion: z.string().optional(),
});
export type Settings = z.infer<typeof settings>;

/** Small files of ours; what is larger is not what it should be. */
const MAX_OWN_FILE = 16 * 1024 * 1024;

/** The root file system of a firmware, read in place; every byte comes from a chunk that was checked. */
export function openRoot(fw: FirmwareFile): Promise<SquashfsReader> {
  return openSquashfs(payloadReader(fw, 'root'));
}

/** Undefined when there is no such file. */
export async function textOf(root: SquashfsReader, path: string): Promise<string | undefined> {
  if (root.stat(path)?.type !== 'file') return undefined;
  return (await root.file(path, MAX_OWN_FILE)).toString('utf8');
}

export async function settingsOf(root: SquashfsReader): Promise<Settings> {
  const parsed = settings.safeParse(json(await textOf(root, FIRMWARE_FILE)));
  return parsed.success ? parsed.data : {};
}

/** Undefined for what is no JSON: whoever signed a firmware may have put anything there. */
function json(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? '');
  } catch {
    return undefined;
  }
}

/** What the firmware is made of; undefined for one of before there were inventories. */
export async function inventoryOf(root: SquashfsReader): Promise<Inventory | undefined> {
  const text = await textOf(root, INVENTORY_FILE);
  return text === undefined ? undefined : parseInventory(text);
}
