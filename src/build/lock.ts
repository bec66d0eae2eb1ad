import { readFileSync } from 'node:fs';
import * as z from 'zod';
import { FwError } from '../errors.ts';

/**
 * A target's lock: every byte that a system is made from, by name, version, path in its archive and hash.
 * `npm run lock` writes it; `fw build` fetches exactly this and nothing else.
 */
const packageSchema = z.strictObject({
  name: z.string(),
  version: z.string(),
  /** Which archive: 'debian', or 'debian-security' for its security updates. */
  archive: z.enum(['debian', 'debian-security']),
  /** Below the archive's base address. */
  path: z.string(),
  /** Bytes. */
  size: z.int().positive(),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});

const lockSchema = z.strictObject({
  target: z.string(),
  /** The newest release file that the lock was made from, as ISO 8601: the time stamp of everything built. */
  date: z.iso.datetime(),
  /** Kernel release, e.g. 6.12.117+deb13-amd64: names the modules' folder. */
  kernel: z.string(),
  node: z.strictObject({ package: z.string(), version: z.string(), integrity: z.string() }),
  packages: z.array(packageSchema),
});

export type LockedPackage = z.infer<typeof packageSchema>;
export type Lock = z.infer<typeof lockSchema>;

export function readLock(path: URL): Lock {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    throw new FwError('lock-missing', `the lock of the target cannot be read`, {
      where: path.pathname,
      remedy: 'Install hearthfw again; in a checkout of Hearth, run `npm run lock`.',
      cause,
    });
  }
  const parsed = lockSchema.safeParse(json(text));
  if (parsed.success) return parsed.data;
  throw new FwError('lock-invalid', `the lock of the target is damaged: ${z.prettifyError(parsed.error)}`, {
    where: path.pathname,
    remedy: 'Install hearthfw again; in a checkout of Hearth, run `npm run lock`.',
  });
}

/** Undefined for what is no JSON, such as half a file or one with a merge conflict: the schema then refuses it. */
function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
