/**
 * Builds heart: one static binary for each machine, against musl from Debian, pinned by hash. The results are
 * committed (`prebuilt/`), because whoever builds a firmware must get the same heart whatever compiler they have.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { FwError } from '../../src/errors.ts';

interface Target {
  compiler: string;
  flags: string[];
  /** Where the compiler's packages keep the kernel's own headers, by the name they are included by. */
  uapi: Record<string, string>;
  musl: { version: string; path: string; size: number; sha256: string; include: string; lib: string };
}
interface Toolchain {
  flags: string[];
  targets: Record<string, Target>;
}
/** prebuilt/hashes.json: what was built, from what, by what. */
export interface Hashes {
  /** SHA-256 over the sources and toolchain.json; see {@link sourceHash}. */
  sources: string;
  binaries: Record<string, { sha256: string; size: number; compiler: string; musl: string }>;
}

const here = import.meta.dirname;
export const sourceDir = join(here, 'src');
export const prebuiltDir = join(here, 'prebuilt');
const toolchain: Toolchain = JSON.parse(readFileSync(join(here, 'toolchain.json'), 'utf8'));
export const machines: readonly string[] = Object.keys(toolchain.targets);

const sha256 = (bytes: Uint8Array | string) => createHash('sha256').update(bytes).digest('hex');
const run = (program: string, args: string[], cwd?: string) =>
  execFileSync(program, args, {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    ...(cwd ? { cwd } : {}),
  });

/** SHA-256 over everything of ours that the binaries depend on: names and contents of the sources, and the flags. */
export function sourceHash(): string {
  const names = readdirSync(sourceDir).sort();
  const parts = names.map((name) => `${name} ${sha256(readFileSync(join(sourceDir, name)))}\n`);
  return sha256(`${parts.join('')}${sha256(readFileSync(join(here, 'toolchain.json')))}`);
}

function target(machine: string): Target {
  const found = toolchain.targets[machine];
  if (!found)
    throw new FwError('unknown-machine', `heart is not built for ${machine}`, {
      expected: machines.join(', '),
    });
  return found;
}

/** The compiler's first line of --version, by which a rebuild knows whether it can be compared. */
export function compilerVersion(machine: string): string {
  return run(target(machine).compiler, ['--version']).split('\n')[0] ?? '';
}

/** The Debian mirror that this machine's own apt uses, or HEARTH_DEBIAN_MIRROR; no host is written down here. */
function mirror(): string {
  const named = process.env.HEARTH_DEBIAN_MIRROR;
  if (named) return named.replace(/\/$/, '');
  const folder = '/etc/apt/sources.list.d';
  const files = existsSync(folder) ? readdirSync(folder).map((name) => join(folder, name)) : [];
  for (const file of [...files, '/etc/apt/sources.list'].filter((name) => existsSync(name))) {
    const uri = /^(?:URIs:|deb\s)[^#\n]*?(https?:\/\/\S+\/debian)\/?(?:\s|$)/m.exec(
      readFileSync(file, 'utf8'),
    )?.[1];
    if (uri) return uri;
  }
  throw new FwError('no-mirror', 'no Debian mirror found in this machine’s apt sources', {
    where: folder,
    remedy: 'Set HEARTH_DEBIAN_MIRROR to the address of one.',
  });
}

/** Downloads and unpacks musl once, checked against its pin; returns its folder. */
async function musl(machine: string): Promise<string> {
  const { path, size, sha256: pin } = target(machine).musl;
  const cache = join(process.env.HEARTH_CACHE ?? join(homedir(), '.cache/hearth'), 'musl');
  const folder = join(cache, pin);
  if (existsSync(folder)) return folder;
  const url = `${mirror()}/${path}`;
  const response = await fetch(url);
  const bytes = response.ok ? new Uint8Array(await response.arrayBuffer()) : new Uint8Array();
  if (bytes.length !== size || sha256(bytes) !== pin)
    throw new FwError('bad-download', `musl for ${machine} is not what toolchain.json pins`, {
      where: url,
      expected: `${size} bytes, SHA-256 ${pin}; got status ${response.status}, ${bytes.length} bytes, ${sha256(bytes)}`,
      remedy: 'Set HEARTH_DEBIAN_MIRROR to a mirror that has it, or refresh firmware/heart/toolchain.json.',
    });
  mkdirSync(cache, { recursive: true });
  // Complete or not there: whoever is killed here leaves nothing that a later build would trust.
  const partial = mkdtempSync(join(cache, 'partial-'));
  writeFileSync(join(partial, 'musl.deb'), bytes);
  run('dpkg-deb', ['-x', join(partial, 'musl.deb'), join(partial, 'root')]);
  try {
    renameSync(join(partial, 'root'), folder);
  } catch (error) {
    if (!existsSync(folder)) throw error;
  }
  rmSync(partial, { recursive: true });
  return folder;
}

/** Builds for one machine into `out` (a file's path). The same sources, compiler and musl give the same bytes. */
export async function build(machine: string, out: string): Promise<void> {
  const { compiler, flags, uapi, musl: pin } = target(machine);
  const root = await musl(machine);
  const lib = (name: string) => join(root, pin.lib, name);
  const ask = (option: string) => run(compiler, [option]).trim();
  // Only these folders of the host's headers, so that nothing of its libc is found by mistake.
  const kernel = mkdtempSync(join(root, '..', 'uapi-'));
  for (const [name, folder] of Object.entries(uapi)) symlinkSync(folder, join(kernel, name));
  const sources = readdirSync(sourceDir).filter((name) => name.endsWith('.c'));
  const includes = [join(root, pin.include), kernel, ask('-print-file-name=include')].flatMap((dir) => [
    '-isystem',
    dir,
  ]);
  const link = [
    '-Wl,--start-group',
    lib('libc.a'),
    ask('-print-libgcc-file-name'),
    '-Wl,--end-group',
    lib('crtn.o'),
  ];
  try {
    const start = [lib('crt1.o'), lib('crti.o')];
    run(
      compiler,
      [...toolchain.flags, ...flags, ...includes, '-o', out, ...start, ...sources.sort(), ...link],
      sourceDir,
    );
  } finally {
    rmSync(kernel, { recursive: true });
  }
}

/** Builds for every machine into prebuilt/, with hashes.json beside. */
export async function buildAll(): Promise<Hashes> {
  const hashes: Hashes = { sources: sourceHash(), binaries: {} };
  for (const machine of machines) {
    const out = join(prebuiltDir, machine, 'heart');
    mkdirSync(join(prebuiltDir, machine), { recursive: true });
    await build(machine, out);
    const bytes = readFileSync(out);
    hashes.binaries[machine] = {
      sha256: sha256(bytes),
      size: bytes.length,
      compiler: compilerVersion(machine),
      musl: target(machine).musl.version,
    };
  }
  writeFileSync(join(prebuiltDir, 'hashes.json'), `${JSON.stringify(hashes, null, 2)}\n`);
  return hashes;
}

if (process.argv[1] === import.meta.filename) console.log(JSON.stringify(await buildAll(), null, 2));
