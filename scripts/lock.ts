// Refreshes targets/*/lock.json from Debian's signed indexes and the npm registry. For maintainers; needs gpgv,
// dpkg and xz, which Debian has. `npm run lock [TARGET…]`.
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pins from '../bin/node.json' with { type: 'json' };
import { sha256 } from '../src/build/hash.ts';
import type { Lock, LockedPackage } from '../src/build/lock.ts';
import { mirrors } from '../src/build/sources/mirrors.ts';
import type { Arch, Target } from '../src/build/target.ts';
import { loadTarget, targetNames } from '../src/build/targets.ts';
import { xzDecompress } from '../src/formats/xz.ts';

type Archive = LockedPackage['archive'];
const SUITES: { archive: Archive; suite: string }[] = [
  { archive: 'debian', suite: 'trixie' },
  { archive: 'debian', suite: 'trixie-updates' },
  { archive: 'debian-security', suite: 'trixie-security' },
];
const COMPONENTS = ['main', 'non-free-firmware'];
const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';
const DEBIAN_ARCH: Record<Arch, string> = { x86_64: 'amd64', aarch64: 'arm64' };
const KERNEL_PACKAGE: Record<Arch, RegExp> = {
  x86_64: /^linux-image-(6\.12\.[^-]+-amd64)$/,
  aarch64: /^linux-image-(6\.12\.[^-]+-arm64)$/,
};

interface Candidate extends LockedPackage {
  released: Date;
}

/** A release file whose signature and hashes hold; without that, nothing of the suite is used. */
async function release(archive: Archive, suite: string): Promise<{ base: string; text: string; date: Date }> {
  const [base] = mirrors(archive);
  if (!base) throw new Error(`no mirror for ${archive}`);
  const signed = await get(`${base}/dists/${suite}/InRelease`);
  const folder = mkdtempSync(join(tmpdir(), 'hearth-lock-'));
  try {
    const input = join(folder, 'InRelease');
    const output = join(folder, 'Release');
    writeFileSync(input, signed);
    execFileSync('gpgv', ['--quiet', '--keyring', KEYRING, '--output', output, input], { stdio: 'pipe' });
    const text = readFileSync(output, 'utf8');
    const date = /^Date: (.+)$/m.exec(text)?.[1];
    if (!date) throw new Error(`${suite}: the release file has no Date`);
    return { base, text, date: new Date(date) };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function get(url: string): Promise<Buffer> {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${new URL(url).pathname}: ${response.status} ${response.statusText}`);
  return Buffer.from(await response.arrayBuffer());
}

/** The wanted packages of an architecture in all suites, newest version of each name. */
async function candidates(arch: Arch, wanted: (name: string) => boolean): Promise<Map<string, Candidate>> {
  const debianArch = DEBIAN_ARCH[arch];
  const newest = new Map<string, Candidate>();
  for (const { archive, suite } of SUITES) {
    const { base, text, date } = await release(archive, suite);
    for (const component of COMPONENTS) {
      const name = `${component}/binary-${debianArch}/Packages.xz`;
      const hash = new RegExp(`^ ([0-9a-f]{64}) +\\d+ ${name.replace('.', '\\.')}$`, 'm').exec(text)?.[1];
      if (!hash) continue;
      const index = await get(
        `${base}/dists/${suite}/${component}/binary-${debianArch}/by-hash/SHA256/${hash}`,
      );
      if (sha256(index) !== hash)
        throw new Error(`${suite} ${name}: the index does not have its signed hash`);
      const stanzas = Buffer.from(await xzDecompress(index))
        .toString('utf8')
        .split('\n\n');
      for (const stanza of stanzas) {
        const candidate = parseStanza(stanza, archive, date);
        if (candidate && wanted(candidate.name) && isNewer(candidate, newest.get(candidate.name)))
          newest.set(candidate.name, candidate);
      }
    }
  }
  return newest;
}

function parseStanza(stanza: string, archive: Archive, released: Date): Candidate | undefined {
  const field = (name: string): string => new RegExp(`^${name}: (.*)$`, 'm').exec(stanza)?.[1] ?? '';
  if (!field('Package')) return undefined;
  return {
    name: field('Package'),
    version: field('Version'),
    archive,
    path: field('Filename'),
    size: Number(field('Size')),
    sha256: field('SHA256'),
    released,
  };
}

function isNewer(candidate: Candidate, than: Candidate | undefined): boolean {
  if (!than || candidate.version === than.version) return !than;
  return versionOrder(candidate.version, than.version) > 0;
}

function versionOrder(a: string, b: string): number {
  const holds = (operator: string): boolean => {
    try {
      execFileSync('dpkg', ['--compare-versions', a, operator, b]);
      return true;
    } catch {
      return false;
    }
  };
  return holds('gt') ? 1 : holds('lt') ? -1 : 0;
}

function newestKernel(all: Map<string, Candidate>, arch: Arch): { release: string; candidate: Candidate } {
  const kernels = [...all.values()].flatMap((candidate) => {
    const release = KERNEL_PACKAGE[arch].exec(candidate.name)?.[1];
    return release ? [{ release, candidate }] : [];
  });
  kernels.sort((a, b) => versionOrder(a.candidate.version, b.candidate.version));
  const newest = kernels.at(-1);
  if (!newest) throw new Error(`no kernel package for ${arch}`);
  return newest;
}

function lockTarget(target: Target, all: Map<string, Candidate>): Lock {
  const kernel = newestKernel(all, target.arch);
  const chosen = target.packages.map(({ name }) => {
    const candidate = all.get(name);
    if (!candidate) throw new Error(`${target.name}: Debian has no package ${name}`);
    return candidate;
  });
  const packages = [kernel.candidate, ...chosen];
  const newest = Math.max(...packages.map(({ released }) => released.getTime()));
  const node = pins.packages[target.arch === 'x86_64' ? 'linux-x64' : 'linux-arm64'];
  return {
    target: target.name,
    date: new Date(newest).toISOString(),
    kernel: kernel.release,
    node: { package: node.name, version: pins.version, integrity: node.integrity, size: target.arch === 'x86_64' ? 52504722 : 52450846 },
    packages: packages.map(({ released: _, ...locked }) => locked),
  };
}

/** What a maintainer wants to read before committing: name, old version, new version. */
function summary(before: Lock | undefined, after: Lock): string[] {
  const old = new Map(before?.packages.map((pkg) => [pkg.name, pkg.version]));
  const lines = after.packages.flatMap(({ name, version }) => {
    const was = old.get(name);
    old.delete(name);
    return was === version ? [] : [`  ${name}: ${was ?? '(new)'} -> ${version}`];
  });
  return [...lines, ...[...old].map(([name, version]) => `  ${name}: ${version} -> (gone)`)];
}

const wanted = process.argv.slice(2);
const locking = wanted.length > 0 ? wanted : targetNames();
const targets = await Promise.all(locking.map((name) => loadTarget(name, { lockMayBeMissing: true })));
const names = new Set(targets.flatMap(({ target }) => target.packages.map(({ name }) => name)));
const indexes = new Map<Arch, Map<string, Candidate>>();
for (const { target, lockUrl, lock: before } of targets) {
  const isWanted = (name: string): boolean => names.has(name) || KERNEL_PACKAGE[target.arch].test(name);
  const all = indexes.get(target.arch) ?? (await candidates(target.arch, isWanted));
  indexes.set(target.arch, all);
  const lock = lockTarget(target, all);
  writeFileSync(lockUrl, `${JSON.stringify(lock, null, 2)}\n`);
  const changes = summary(before, lock);
  console.log(`${target.name}: ${changes.length === 0 ? 'unchanged' : ''}`);
  for (const line of changes) console.log(line);
}
