import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { FwError } from '../../errors.ts';
import { isElf, readElf } from '../../formats/elf.ts';
import { sha256 } from '../hash.ts';
import type { Arch } from '../target.ts';

const PREBUILT = new URL('../../../firmware/heart/prebuilt/', import.meta.url);

/** heart for a machine: the committed binary, never one that this computer compiled, so that equal inputs stay equal. */
export function readHeart(arch: Arch): Uint8Array {
  const url = new URL(`${arch}/heart`, PREBUILT);
  const { binaries } = JSON.parse(readFileSync(new URL('hashes.json', PREBUILT), 'utf8')) as {
    binaries: Record<Arch, { sha256: string }>;
  };
  const bytes = readFileSync(url);
  if (sha256(bytes) === binaries[arch].sha256 && isElf(bytes) && readElf(bytes).machine === arch)
    return bytes;
  throw new FwError('heart-damaged', 'the prebuilt heart is not the one that was recorded', {
    where: fileURLToPath(url),
    expected: `SHA-256 ${binaries[arch].sha256}`,
    remedy: 'Install hearthfw again; in a checkout of Hearth, run scripts/build-heart.',
  });
}
