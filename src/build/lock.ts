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

/** What `npm run lock` made of the packages: everything of the system in one file, carried by an npm package. */
const systemArchiveSchema = z.strictObject({
  package: z.string(),
  version: z.string(),
  /** Of the npm package's tarball. */
  integrity: z.string(),
  /** Whether registries have it: before, nobody's build asks them. */
  published: z.boolean(),
  /** Bytes of the archive, and their hash: nothing else is unpacked. */
  size: z.int().positive(),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  /** SHA-256 of what it unpacks to, whichever zstd packed it. */
  content: z.string().regex(/^[0-9a-f]{64}$/),
  /** Which files of which packages are in it; a target that wants others cannot use it. */
  picks: z.string(),
});

const lockSchema = z.strictObject({
  target: z.string(),
  /** The newest release file that the lock was made from, as ISO 8601: the time stamp of everything built. */
  date: z.iso.datetime(),
  /** Kernel release, e.g. 6.12.117+deb13-amd64: names the modules' folder. */
  kernel: z.string(),
  node: z.strictObject({
    package: z.string(),
    version: z.string(),
    integrity: z.string(),
    /** Of the tarball, bytes. */
    size: z.int().positive(),
  }),
  packages: z.array(packageSchema),
  archive: systemArchiveSchema.optional(),
});

export type LockedPackage = z.infer<typeof packageSchema>;
export type SystemArchive = z.infer<typeof systemArchiveSchema>;
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
