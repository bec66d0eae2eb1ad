// The to-do system as it is shipped, and a handle for its test, which no device has: on SIGUSR2 it ends the list that a
// file names by an error, and says which process each list was before, and is after it.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { device, logger, named, sys } from 'hearthfw';
import '../../firmware/apps/todo/src/app.ts';

process.on('SIGUSR2', () => {
  const list = readFileSync(join(device.dataDir, 'crash'), 'utf8').trim();
  const before = lists();
  named(`list ${list}`).exit(new Error('crashed by the test'));
  logger.info(`crashed ${JSON.stringify({ list, pid: process.pid, before, after: lists() })}`);
});

/** The identity of each list's process, by its name. */
function lists(): Record<string, number> {
  return Object.fromEntries(
    sys.processes().flatMap(({ name, id, status }) => {
      const list = /^list (.*)$/.exec(name ?? '')?.[1];
      return list !== undefined && status === 'running' ? [[list, id]] : [];
    }),
  );
}
