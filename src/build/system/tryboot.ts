import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { FwError } from '../../errors.ts';
import { readModuleInfo } from '../../formats/kmod/index.ts';
import { sha256 } from '../hash.ts';
import type { Lock } from '../lock.ts';

/** The Raspberry Pi's one-shot boot: what heart arms for a trial. */
export const TRYBOOT = 'hearth_tryboot';

/** What module.json records of the committed module: what it is, and what it was made of. */
export interface TrybootRecord {
  /** Kernel release that it was compiled for. */
  kernel: string;
  /** Version of the kernel's package: another one may have the same release, and other symbols. */
  version: string;
  sha256: string;
  /** Bytes. */
  size: number;
  /** First line of the compiler's --version. */
  compiler: string;
  /** SHA-256 over our sources. */
  sources: string;
}

const FOLDER = new URL('../../../firmware/tryboot/', import.meta.url);
const PREBUILT = new URL('prebuilt/', FOLDER);

/**
 * The module for a lock's kernel: the committed one, never one that this computer compiled, so that equal inputs stay equal.
 * A kernel refuses a module that was compiled for another release, and a device without it could not try an update.
 * @throws FwError `tryboot-damaged`, `tryboot-wrong-kernel`
 */
export function readTryboot(
  lock: Pick<Lock, 'target' | 'kernel' | 'packages'>,
  folder = PREBUILT,
): Uint8Array {
  const url = new URL(`${TRYBOOT}.ko`, folder);
  const recorded = readTrybootRecord(folder);
  const bytes = readFileSync(url);
  if (sha256(bytes) !== recorded.sha256)
    throw new FwError('tryboot-damaged', `the prebuilt ${TRYBOOT} is not the one that was recorded`, {
      where: fileURLToPath(url),
      expected: `SHA-256 ${recorded.sha256}`,
      remedy: 'Install hearthfw again; in a checkout of Hearth, run `npm run lock -- --modules-only`.',
    });
  const [release = 'no kernel'] = readModuleInfo(bytes, url.pathname).vermagic?.split(' ') ?? [];
  const version = lock.packages[0]?.version;
  if (release === lock.kernel && recorded.version === version) return bytes;
  throw new FwError('tryboot-wrong-kernel', `${TRYBOOT} was compiled for ${release} (${recorded.version})`, {
    where: fileURLToPath(url),
    expected: `a module for ${lock.kernel} (${version}), which targets/${lock.target}/lock.json names`,
    remedy: 'Install hearthfw again; in a checkout of Hearth, run `npm run lock -- --modules-only`.',
  });
}

export function readTrybootRecord(folder = PREBUILT): TrybootRecord {
  return JSON.parse(readFileSync(new URL('module.json', folder), 'utf8')) as TrybootRecord;
}

/** Its source and its licence, which go wherever it goes: by the names that they have there. */
export function trybootTexts(): Map<'hearth_tryboot.c' | 'copyright', Uint8Array> {
  return new Map([
    ['hearth_tryboot.c', readFileSync(new URL('hearth_tryboot.c', FOLDER))],
    ['copyright', readFileSync(new URL('COPYING', FOLDER))],
  ]);
}
