// Finds, or fetches once, the Node.js that Hearth is developed and run with. Plain JavaScript without
// dependencies, because it must run on whatever Node (>= 20) the user has: older ones lack zstd.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { gunzipSync } from 'node:zlib';

const pins = JSON.parse(readFileSync(new URL('node.json', import.meta.url), 'utf8'));

/** Where everything that Hearth downloads or derives is kept; `HEARTH_CACHE` overrides it. */
export function cacheDir() {
  if (process.env.HEARTH_CACHE) return process.env.HEARTH_CACHE;
  if (process.env.XDG_CACHE_HOME) return join(process.env.XDG_CACHE_HOME, 'hearth');
  if (process.platform === 'darwin') return join(homedir(), 'Library', 'Caches', 'hearth');
  return join(homedir(), '.cache', 'hearth');
}

/**
 * Packs one exact version of an npm package with the user's own npm, so that its registry, proxy, certificates
 * and credentials apply, and returns the tarball's bytes after checking them against `integrity`.
 */
export function npmPack(name, version, integrity) {
  mkdirSync(cacheDir(), { recursive: true });
  const folder = mkdtempSync(join(cacheDir(), 'npm-'));
  try {
    const args = ['pack', `${name}@${version}`, '--pack-destination', folder, '--silent'];
    const npm = npmCli();
    const run = npm ? spawnSync(process.execPath, [npm, ...args]) : spawnSync('npm', args);
    if (run.error || run.status !== 0) {
      const why = run.error?.message ?? String(run.stderr).trim();
      throw new Error(
        `npm could not fetch ${name}@${version}: ${why || `exit status ${run.status}`}\n` +
          'Check that npm is installed and that the machine is online: npm view ' +
          name,
      );
    }
    const file = readdirSync(folder).find((entry) => entry.endsWith('.tgz'));
    const bytes = readFileSync(join(folder, file));
    const actual = `sha512-${createHash('sha512').update(bytes).digest('base64')}`;
    if (actual !== integrity) {
      throw new Error(
        `${name}@${version}: expected ${integrity}, npm delivered ${actual}. Nothing was used.`,
      );
    }
    return bytes;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** npm's own script beside the running Node, where there is one: a PATH that holds only node is enough then. */
function npmCli() {
  const path = join(dirname(process.execPath), '..', 'lib', 'node_modules', 'npm', 'bin', 'npm-cli.js');
  return existsSync(path) ? path : undefined;
}

/**
 * Whether this Node's compressors are those of the pinned one, so that a build gives the same bytes. Where no Node
 * is pinned for the machine its own has to do.
 */
export function compressesAsPinned() {
  const { node, zstd, zlib } = process.versions;
  if (node === pins.version || !pins.packages[`${process.platform}-${process.arch}`]) return true;
  return zstd === pins.zstd && zlib === pins.zlib;
}

/** The path of the pinned Node for this machine. Fetches it the first time (about 45 MB). */
export function pinnedNode() {
  const platform = `${process.platform}-${process.arch}`;
  if (process.version === `v${pins.version}`) return process.execPath;
  const pin = pins.packages[platform];
  if (!pin) {
    throw new Error(
      `Hearth needs Node ${pins.version} or newer; this is ${process.version}, and no pinned Node is ` +
        `listed for ${platform}. Install Node ${pins.version.split('.')[0]} and run the command again.`,
    );
  }
  const home = join(cacheDir(), 'node', `${pins.version}-${platform}`);
  const node = join(home, 'bin', 'node');
  if (existsSync(node)) return node;
  process.stderr.write(`hearth: fetching Node ${pins.version}, once\n`);
  const tar = gunzipSync(npmPack(pin.name, pins.version, pin.integrity));
  mkdirSync(join(cacheDir(), 'node'), { recursive: true });
  const staging = mkdtempSync(join(cacheDir(), 'node', 'part-'));
  mkdirSync(join(staging, 'bin'));
  writeFileSync(join(staging, 'bin', 'node'), tarMember(tar, 'package/bin/node'));
  chmodSync(join(staging, 'bin', 'node'), 0o755);
  try {
    renameSync(staging, home);
  } catch (error) {
    // Another process finished first; its copy has the same bytes.
    rmSync(staging, { recursive: true, force: true });
    if (!existsSync(node)) throw error;
  }
  return node;
}

/** One member of a ustar archive. */
function tarMember(tar, wanted) {
  for (let at = 0; at + 512 <= tar.length; ) {
    const name = tar.toString('utf8', at, at + 100).replace(/\0.*$/s, '');
    const size = Number.parseInt(tar.toString('utf8', at + 124, at + 136).replace(/\0.*$/s, ''), 8) || 0;
    if (name === wanted) return tar.subarray(at + 512, at + 512 + size);
    at += 512 + Math.ceil(size / 512) * 512;
  }
  throw new Error(`the pinned Node's package has no ${wanted}`);
}
