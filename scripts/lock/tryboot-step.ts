import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Cache } from '../../src/build/cache.ts';
import { sha256 } from '../../src/build/hash.ts';
import type { Lock } from '../../src/build/lock.ts';
import { fetchPackage } from '../../src/build/sources/fetch.ts';
import { readTrybootRecord, TRYBOOT, type TrybootRecord } from '../../src/build/system/tryboot.ts';
import type { ArchiveReader } from './debian-archive.ts';
import { type KernelHeaders, kernelHeaders } from './kernel-headers.ts';

const SOURCES = join(import.meta.dirname, '../../firmware/tryboot');
const PREBUILT = join(SOURCES, 'prebuilt');
const CROSS = 'aarch64-linux-gnu-';

/** SHA-256 over what is ours of what the module depends on. */
export function trybootSources(): string {
  return sha256(['Kbuild', `${TRYBOOT}.c`].map((name) => sha256(readFileSync(join(SOURCES, name)))).join());
}

/** Compiles the Pi's one-shot boot for a lock's kernel, unless what is committed was made for it from the same sources. */
export async function refreshTryboot(
  lock: Lock,
  reader: ArchiveReader,
  cache: Cache,
  tell: (text: string) => void,
): Promise<void> {
  const sources = trybootSources();
  const { kernel } = lock;
  const version = lock.packages[0]?.version ?? '';
  const before = committed();
  if (before?.kernel === kernel && before.version === version && before.sources === sources) return;
  const packages = await kernelHeaders(kernel, version, reader);
  tell(`compiling ${TRYBOOT} for ${kernel}`);
  const bytes = await buildTryboot(kernel, packages, cache);
  const record: TrybootRecord = {
    kernel,
    version,
    sha256: sha256(bytes),
    size: bytes.length,
    compiler: compilerVersion(),
    sources,
  };
  writeFileSync(join(PREBUILT, `${TRYBOOT}.ko`), bytes);
  writeFileSync(join(PREBUILT, 'module.json'), `${JSON.stringify(record, null, 2)}\n`);
}

export function compilerVersion(): string {
  return run(`${CROSS}gcc`, ['--version']).split('\n')[0] ?? '';
}

/** The module's bytes: the same for the same sources, headers and compiler, wherever they lie. */
export async function buildTryboot(
  kernel: string,
  { headers, libc }: KernelHeaders,
  cache: Cache,
): Promise<Buffer> {
  const folder = mkdtempSync(join(tmpdir(), 'hearth-tryboot-'));
  try {
    const root = join(folder, 'root');
    for (const [pkg, into] of [
      ...headers.map((each) => [each, root] as const),
      [libc, join(folder, 'libc')],
    ] as const) {
      const file = join(folder, 'package.deb');
      writeFileSync(file, await fetchPackage(pkg, cache, () => {}));
      run('dpkg-deb', ['-x', file, into]);
    }
    const module = join(folder, 'module');
    mkdirSync(module);
    for (const name of ['Kbuild', `${TRYBOOT}.c`]) cpSync(join(SOURCES, name), join(module, name));
    make(folder, root, module, kernel);
    const file = join(module, `${TRYBOOT}.ko`);
    run(`${CROSS}strip`, ['--strip-debug', file]);
    return readFileSync(file);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function make(folder: string, root: string, module: string, kernel: string): void {
  const headers = join(root, 'usr/src', `linux-headers-${kernel}`);
  // It leads to the common headers by an absolute path.
  const makefile = join(headers, 'Makefile');
  writeFileSync(makefile, readFileSync(makefile, 'utf8').replaceAll('/usr/src/', `${root}/usr/src/`));
  // It insists on the compiler of Debian's kernel, by a name that only its own release has.
  writeFileSync(join(headers, '.kernelvariables'), '');
  // modpost wants the C library of the release that it comes from; Debian hides it behind one that chooses by word size.
  const libraries = join(folder, 'libc/usr/lib/x86_64-linux-gnu');
  const modpost = join(folder, 'modpost');
  const loader = `exec ${libraries}/ld-linux-x86-64.so.2 --library-path ${libraries}`;
  writeFileSync(modpost, `#!/bin/sh\n${loader} scripts/mod/modpost.real-lsb-64 "$@"\n`, { mode: 0o755 });
  run('make', [
    ...['-s', '-C', headers, `M=${module}`, 'ARCH=arm64', `CROSS_COMPILE=${CROSS}`],
    ...[`KERNELRELEASE=${kernel}`, `MODPOST=${modpost}`],
    // Older compilers have -falign-functions, which is what the kernel's makefile then takes.
    'CONFIG_CC_HAS_MIN_FUNCTION_ALIGNMENT=',
    ...['CONFIG_DEBUG_INFO=', 'CONFIG_DEBUG_INFO_BTF_MODULES=', 'modules'],
  ]);
}

function committed(): TrybootRecord | undefined {
  return readdirSync(PREBUILT).includes('module.json') ? readTrybootRecord() : undefined;
}

function run(program: string, args: string[]): string {
  // Only the program's errors are of interest, and only when it fails: then they are in the exception.
  return execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
}
