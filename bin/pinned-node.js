// Finds, or fetches once, the Node.js that Hearth is developed and run with. Plain JavaScript without
// dependencies, because it must run on whatever Node (>= 20) the user has: older ones lack zstd.
import { spawn } from 'node:child_process';
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
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import { homeFolder } from './home.js';
import { whenKilled } from './when-killed.js';

const pins = JSON.parse(readFileSync(new URL('node.json', import.meta.url), 'utf8'));

export const PINNED_NODE = pins.version;

/** Whether HEARTH_OFFLINE is set, to anything but what people write for 'no': nothing is to be fetched then. */
export function isOffline(env = process.env) {
  return !['', '0', 'false', 'no', 'off'].includes((env.HEARTH_OFFLINE ?? '').toLowerCase());
}

/** Where everything that Hearth downloads or derives is kept; `HEARTH_CACHE` overrides it. */
export function cacheDir() {
  if (process.env.HEARTH_CACHE) return process.env.HEARTH_CACHE;
  if (process.env.XDG_CACHE_HOME) return join(process.env.XDG_CACHE_HOME, 'hearth');
  const home = homeFolder('HEARTH_CACHE');
  return process.platform === 'darwin'
    ? join(home, 'Library', 'Caches', 'hearth')
    : join(home, '.cache', 'hearth');
}

/**
 * Packs one exact version of an npm package with the user's own npm, so that its registry, proxy, certificates
 * and credentials apply, and returns the tarball's bytes after checking them against `integrity`. A signal ends npm
 * too, and leaves nothing of it. `options` are npm's own.
 */
export async function npmPack(name, version, integrity, options = []) {
  mkdirSync(cacheDir(), { recursive: true });
  // With the process's id, so that what a SIGKILL leaves can be told from what is still being used.
  const folder = mkdtempSync(join(cacheDir(), `npm-${process.pid}-`));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  const npm = startNpm(['pack', `${name}@${version}`, '--pack-destination', folder, ...options]);
  let killed = false;
  const forget = whenKilled(async () => {
    killed = true;
    npm.kill();
    await npm.ended;
    remove();
  });
  try {
    const { failure } = await npm.ended;
    // The process is ending: that npm has failed is no news, and must not be told.
    if (killed) await new Promise(() => {});
    if (failure) {
      throw new Error(
        `npm could not fetch ${name}@${version}: ${failure}\n` +
          `Check that npm is installed and that the machine is online: npm view ${name}`,
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
    remove();
    forget();
  }
}

/** Starts npm in a process group of its own: npm is often a script around another process, and both must end. */
function startNpm(args) {
  const { program, before } = npmProgram();
  // Its warnings are about its own house; its errors are what the user has to read.
  const child = spawn(program, [...before, ...args, '--loglevel=error'], {
    stdio: ['ignore', 'ignore', 'pipe'],
    detached: true,
  });
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text) => {
    said += text;
  });
  const ended = new Promise((resolve) => {
    child.on('error', (error) => resolve({ failure: error.message }));
    child.on('close', (code, signal) => {
      resolve({ failure: code === 0 ? '' : said.trim() || `it ended with ${signal ?? `status ${code}`}` });
    });
  });
  return {
    ended,
    kill() {
      try {
        if (child.pid) process.kill(-child.pid, 'SIGTERM');
      } catch (error) {
        // It has ended by itself just now.
        if (error.code !== 'ESRCH') throw error;
      }
    },
  };
}

/**
 * How npm is started: its own script beside the running Node, where there is one, so that a PATH that holds only node is
 * enough; else by its name. `before` comes before its arguments.
 */
export function npmProgram() {
  const script = join(dirname(process.execPath), '..', 'lib', 'node_modules', 'npm', 'bin', 'npm-cli.js');
  return existsSync(script)
    ? { program: process.execPath, before: [script] }
    : { program: 'npm', before: [] };
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

/**
 * The path of the pinned Node for this machine, there or not; undefined when none is pinned for it. The running Node,
 * where that is the one.
 */
export function pinnedNodePath() {
  if (process.version === `v${pins.version}`) return process.execPath;
  const platform = `${process.platform}-${process.arch}`;
  if (!pins.packages[platform]) return undefined;
  return join(cacheDir(), 'node', `${pins.version}-${platform}`, 'bin', 'node');
}

/** The path of the pinned Node for this machine. Fetches it the first time (about 45 MB), unless `offline`. */
export async function pinnedNode({ offline = isOffline() } = {}) {
  const platform = `${process.platform}-${process.arch}`;
  const node = pinnedNodePath();
  if (!node) {
    throw new Error(
      `Hearth needs Node ${pins.version} or newer; this is ${process.version}, and no pinned Node is ` +
        `listed for ${platform}. Install Node ${pins.version.split('.')[0]} and run the command again.`,
    );
  }
  if (existsSync(node)) {
    markUsed(node);
    return node;
  }
  if (offline) {
    throw new Error(
      `Node ${pins.version}, which hearthfw runs on, is not on this machine yet, and the build is offline. Run fw ` +
        'once with a network, or install that Node.',
    );
  }
  process.stderr.write(`hearth: fetching Node ${pins.version}, once\n`);
  const pin = pins.packages[platform];
  const tar = gunzipSync(await npmPack(pin.name, pins.version, pin.integrity));
  const folder = join(cacheDir(), 'node');
  mkdirSync(folder, { recursive: true });
  const staging = mkdtempSync(join(folder, `part-${process.pid}-`));
  const remove = () => rmSync(staging, { recursive: true, force: true });
  const forget = whenKilled(remove);
  try {
    mkdirSync(join(staging, 'bin'));
    writeFileSync(join(staging, 'bin', 'node'), tarMember(tar, 'package/bin/node'));
    chmodSync(join(staging, 'bin', 'node'), 0o755);
    renameSync(staging, dirname(dirname(node)));
  } catch (error) {
    // Another process may have finished first; its copy has the same bytes.
    if (!existsSync(node)) throw error;
  } finally {
    remove();
    forget();
  }
  return node;
}

/** The cache removes what has not been used for long; see src/build/cache. */
function markUsed(node) {
  if (node === process.execPath) return;
  const home = dirname(dirname(node));
  const now = new Date();
  try {
    if (Math.abs(now.getTime() - statSync(home).mtimeMs) > 3_600_000) utimesSync(home, now, now);
  } catch {
    // A cache that is read-only, or another user's, serves all the same.
  }
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
