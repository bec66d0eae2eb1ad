#!/usr/bin/env node
// The door of the fw command. Everything behind it needs zstd in node:zlib (Node >= 22.15) and, in a checkout,
// type stripping, and makes firmware whose bytes must not depend on the Node that is installed: on an older Node,
// or one that compresses differently, it starts itself again under the pinned one.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import module from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import zlib from 'node:zlib';
import { cacheDir, compressesAsPinned, isOffline, pinnedNode } from './pinned-node.js';
import { SIGNALS } from './when-killed.js';

if (process.platform === 'win32') {
  process.stderr.write(
    'fw: Windows itself is not supported. Use WSL 2: run `wsl --install` once, open Ubuntu, install Node.js in it, and run the\n' +
      'same commands there, in a folder of its own file system (not below /mnt/c). More: docs/faq.md\n',
  );
  process.exit(1);
}

const args = process.argv.slice(2);
const words = args.includes('--') ? args.slice(0, args.indexOf('--')) : args;
const built = new URL('../src/cli/main.js', import.meta.url);
const source = new URL('../src/cli/main.ts', import.meta.url);
const cache = orEnd(cacheDir);
const [major = 0] = process.versions.node.split('.').map(Number);

if (major >= 24 && zlib.zstdCompress && compressesAsPinned()) {
  // A third of the start-up is compiling; where the folder cannot be written, that is all it costs.
  module.enableCompileCache(join(cache, 'compiled'));
  const { main } = await import(existsSync(built) ? built.href : source.href);
  process.exitCode = await main(args);
} else {
  const offline = isOffline() || words.includes('--offline');
  const node = await pinnedNode({ offline }).catch(end);
  const child = spawn(node, [fileURLToPath(import.meta.url), ...args], { stdio: 'inherit' });
  for (const signal of SIGNALS) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => {
    process.stderr.write(`fw: could not start the pinned Node: ${error.message}\n`);
    process.exitCode = 1;
  });
  child.on('exit', (code, signal) => {
    if (signal) {
      process.removeAllListeners(signal);
      process.kill(process.pid, signal);
    } else process.exitCode = code ?? 1;
  });
}

function orEnd(work) {
  try {
    return work();
  } catch (error) {
    return end(error);
  }
}

/** Tells an error as src/cli/error-text.ts does, which needs a newer Node than there may be. */
function end({
  message,
  syscall,
  code,
  remedy = syscall && 'Name a folder that you may write to in HEARTH_CACHE.',
}) {
  const known = syscall || !remedy ? 'node-unavailable' : code;
  if (words.includes('--json'))
    process.stdout.write(`${JSON.stringify({ error: { code: known, message, remedy } })}\n`);
  else process.stderr.write(`fw: ${message}\n${remedy ? `  do:       ${remedy}\n` : ''}  (${known})\n`);
  process.exit(1);
}
