import * as z from 'zod';
import { FwError } from '../../errors.ts';

/**
 * What a firmware is made of. It travels in the root, so that whoever has the .fw, or the device, can ask it; nothing of
 * when, where and by whom it was built is in it, for the firmware's UUID is a hash of this too.
 */
export const INVENTORY_FILE = '/usr/share/hearth/inventory.json';
export const INVENTORY_FORMAT = 1;

const hex256 = z.string().regex(/^[0-9a-f]{64}$/);
/** Where in the root the licence's own words are. */
const licenceFile = z.string();

const debianPackage = z.object({
  name: z.string(),
  version: z.string(),
  /** Debian's own word: amd64, arm64, all. */
  architecture: z.string(),
  /** The source package that it was built from. */
  source: z.string().optional(),
  /** Of the .deb. */
  sha256: hex256,
  /**
   * Every licence that the package's copyright file declares for its source, as SPDX expressions; what SPDX has no name
   * for is a LicenseRef. Absent when the file is written for people only.
   */
  licences: z.array(z.string()).optional(),
  licenceFile,
});

const npmPackage = z.object({
  name: z.string(),
  version: z.string().optional(),
  /** As its package.json has it: an SPDX expression, or something else. */
  licence: z.string().optional(),
  /** From the package-lock.json beside the node_modules in which it lay. */
  integrity: z.string().optional(),
  usedBy: z.array(z.enum(['app', 'hearthd'])),
  licenceFiles: z.array(licenceFile),
});

const schema = z.object({
  format: z.literal(INVENTORY_FORMAT),
  hearth: z.object({ version: z.string(), licence: z.string(), licenceFile }),
  /** When the target's lock was made, ISO 8601. */
  lockDate: z.string(),
  /** Debian's release, e.g. trixie. */
  suite: z.string(),
  kernel: z.string(),
  node: z.object({
    version: z.string(),
    package: z.string(),
    integrity: z.string(),
    licence: z.string(),
    licenceFile,
  }),
  /** PID 1, and the C library that is linked into it. */
  heart: z.object({
    sha256: hex256,
    licence: z.string(),
    musl: z.object({ version: z.string(), licences: z.array(z.string()).optional(), licenceFile }),
  }),
  /** On a Raspberry Pi: the kernel module that is ours. Under the kernel's licence, with its source beside the licence. */
  tryboot: z.object({ sha256: hex256, licence: z.string(), licenceFile, sourceFile: z.string() }).optional(),
  debian: z.array(debianPackage),
  npm: z.array(npmPackage),
  /** Native addons, beside the app's bundle in /srv/app. */
  addons: z.array(
    z.object({
      name: z.string(),
      sha256: hex256,
      size: z.int(),
      /** The npm package that it came in, NAME@VERSION. */
      package: z.string().optional(),
    }),
  ),
});

export type Inventory = z.infer<typeof schema>;
export type DebianPackage = Inventory['debian'][number];
export type NpmPackage = Inventory['npm'][number];

export function encodeInventory(inventory: Inventory): string {
  return `${JSON.stringify(inventory, null, 1)}\n`;
}

/** @throws FwError `inventory-invalid`: what another version of Hearth wrote, or no inventory at all */
export function parseInventory(text: string): Inventory {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // The schema refuses undefined, and says what was expected.
  }
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new FwError('inventory-invalid', `the inventory cannot be read: ${z.prettifyError(parsed.error)}`, {
    where: INVENTORY_FILE,
    expected: `an inventory of format ${INVENTORY_FORMAT}`,
    remedy: 'Use the version of hearthfw that built the firmware, or a newer one.',
  });
}
