// What hearthd starts so early that /data may not be mounted yet waits here, before the app's first line, until hearthd writes
// the state of /data to standard input. Node's own start, a second or two on a slow board, then runs beside the mount. The
// firmware's own app imports this file before all else: modules are evaluated when all are loaded and compiled, so that this is done
// by then, too. For an app that is yet to come, or that has Node evaluate something before it, hearthd has Node require this file
// first; when the app imports it as well, the gate is open.
import { readSync } from 'node:fs';

const AGAIN_MS = 5;

if (process.env.HEARTH_GATE === '1') {
  // What the app forks must not wait here: it inherits both. (hearthd writes the option as one word.)
  delete process.env.HEARTH_GATE;
  process.execArgv = process.execArgv.filter((arg) => !arg.endsWith('/gate.mjs'));
  const bytes = Buffer.alloc(64);
  let length = 0;
  // Blocks the thread, on purpose: nothing of the app may run.
  for (;;) {
    try {
      const count = readSync(0, bytes, length, bytes.length - length);
      if (count === 0) break;
      length += count;
    } catch (error) {
      // An import of node:process has opened it for process.stdin, which makes it one that does not block.
      if (error.code !== 'EAGAIN') throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, AGAIN_MS);
    }
  }
  const state = bytes.toString('latin1', 0, length).trim();
  // End of file and nothing before it: hearthd is gone, or does not want the app any more.
  if (state === '') process.exit(0);
  process.env.HEARTH_DATA_STATE = state;
  process.chdir(process.env.HEARTH_DATA);
}
