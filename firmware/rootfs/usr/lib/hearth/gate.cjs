// Preloaded into the app's Node (hearthd starts it so early that /data may not be mounted yet): holds the app back, before
// its first line, until hearthd writes the state of /data to standard input. Node's own start, a second or two on a
// slow board, then runs beside the mount.
'use strict';
if (process.env.HEARTH_GATE === '1') {
  // What the app forks must not wait here: it inherits both. (hearthd writes the option as one word.)
  delete process.env.HEARTH_GATE;
  process.execArgv = process.execArgv.filter((arg) => !arg.endsWith('/gate.cjs'));
  const bytes = Buffer.alloc(64);
  let length = 0;
  // Blocks the thread, on purpose: nothing of the app may run.
  for (let count = 1; count > 0; length += count) {
    count = require('node:fs').readSync(0, bytes, length, bytes.length - length);
  }
  const state = bytes.toString('latin1', 0, length).trim();
  // End of file and nothing before it: hearthd is gone, or does not want the app any more.
  if (state === '') process.exit(0);
  process.env.HEARTH_DATA_STATE = state;
  process.chdir(process.env.HEARTH_DATA);
}
