import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sha256 } from '../../src/build/hash.ts';
import { DEBIAN_SUITE } from '../../src/build/inventory/debian.ts';
import type { LockedPackage } from '../../src/build/lock.ts';
import type { Arch } from '../../src/build/target.ts';
import { FwError } from '../../src/errors.ts';
import { xzDecompress } from '../../src/formats/xz.ts';
import { parsePackages } from './packages-index.ts';
import { checkRelease, parseRelease, type Release } from './release.ts';

type Archive = LockedPackage['archive'];
export const SUITES: { archive: Archive; suite: string }[] = [
  { archive: 'debian', suite: DEBIAN_SUITE },
  { archive: 'debian', suite: `${DEBIAN_SUITE}-updates` },
  { archive: 'debian-security', suite: `${DEBIAN_SUITE}-security` },
];
const COMPONENTS = ['main', 'non-free-firmware'];
export const DEBIAN_KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';
const DEBIAN_ARCH: Record<Arch, string> = { x86_64: 'amd64', aarch64: 'arm64' };

/** An archive as one maintainer's machine reaches it, and the keys that it believes. */
export interface ArchiveReader {
  mirror(archive: Archive): string;
  keyring: string;
  now: Date;
  /** Old release files are taken too: those of a dated snapshot. */
  force: boolean;
}

/** A suite whose signature and date hold; without that nothing of it is used. */
export interface VerifiedSuite {
  archive: Archive;
  suite: string;
  base: string;
  release: Release;
}

/** @throws FwError `index-not-signed`, `release-…` */
export async function readSuite(
  { archive, suite }: (typeof SUITES)[number],
  reader: ArchiveReader,
): Promise<VerifiedSuite> {
  const base = reader.mirror(archive);
  const text = signedText(await get(`${base}/dists/${suite}/InRelease`), suite, reader.keyring);
  const release = parseRelease(text);
  // The suite's name is checked all the same: there is no good reason to be sent another one.
  const { validUntil: _, ...undated } = release;
  checkRelease(reader.force ? undated : release, suite, reader.now);
  return { archive, suite, base, release };
}

/** The wanted packages of a suite. An index that does not have its signed hash is refused. */
export async function readPackages(
  { archive, suite, base, release }: VerifiedSuite,
  arch: Arch,
  wanted: (name: string) => boolean,
): Promise<LockedPackage[]> {
  const found: LockedPackage[] = [];
  for (const component of COMPONENTS) {
    const folder = `${component}/binary-${DEBIAN_ARCH[arch]}`;
    const index = release.indexes.get(`${folder}/Packages.xz`);
    if (!index) continue;
    const bytes = await get(`${base}/dists/${suite}/${folder}/by-hash/SHA256/${index.sha256}`);
    if (bytes.length !== index.size || sha256(bytes) !== index.sha256) {
      throw new FwError('index-wrong-hash', `${suite}: ${folder}/Packages.xz is not the one that is signed`, {
        where: `${suite}/${folder}/Packages.xz`,
        expected: `${index.size} bytes with SHA-256 ${index.sha256}`,
        remedy: 'Try again in an hour: the mirror may be changing. If it stays so, use another mirror.',
      });
    }
    const text = Buffer.from(await xzDecompress(bytes)).toString('utf8');
    found.push(...parsePackages(text, archive, wanted));
  }
  return found;
}

/** What a clear-signed file says, if one of the keys has signed it. gpgv gives out only what is below the signature. */
function signedText(signed: Buffer, suite: string, keyring: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'hearth-lock-'));
  try {
    const [input, output] = [join(folder, 'InRelease'), join(folder, 'Release')];
    writeFileSync(input, signed);
    const { status, error, stderr } = spawnSync('gpgv', ['--keyring', keyring, '--output', output, input]);
    if (error) throw error;
    if (status === 0) return readFileSync(output, 'utf8');
    throw new FwError('index-not-signed', `the release file of ${suite} has no good signature:\n${stderr}`, {
      where: `${suite}/InRelease`,
      expected: `a signature by a key of ${keyring}`,
      remedy: 'Use another mirror. If Debian has new keys, update debian-archive-keyring.',
    });
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function get(url: string): Promise<Buffer> {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${new URL(url).pathname}: ${response.status} ${response.statusText}`);
  return Buffer.from(await response.arrayBuffer());
}
