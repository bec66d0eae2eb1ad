import { readdirSync } from 'node:fs';
import { logging, sys, tables, telemetry } from '../../src/otp/index.ts';
import { whereis } from '../../src/otp/process/names.ts';
import { processTable } from '../../src/otp/process/process-table.ts';
import { osProcesses } from './proc.ts';
import { duplicates, groups, NAMES, registry } from './shared.ts';

/** Everything that can be counted, by name. At rest it must be what it was when the tree was fresh. */
export type Counts = Record<string, number>;

export function counts(): Counts {
  const all: Counts = {};
  const add = (name: string, by = 1) => {
    if (by > 0) all[name] = (all[name] ?? 0) + by;
  };
  for (const { label, status, mailboxLength, current } of sys.processes()) {
    add(`process ${label}`);
    if (status !== 'running') add(`process ${status}`);
    add('waiting messages', mailboxLength);
    if (current) add('handlers at work');
  }
  for (const process of processTable.values()) {
    add('links', process.links?.size ?? 0);
    add('watchers', process.watchers?.size ?? 0);
    add('monitors', process.monitors?.size ?? 0);
    add('possessions', process.possessions?.size ?? 0);
    if (process.tracer) add('tracers');
  }
  for (const name of NAMES) if (whereis(name)) add('names');
  for (const { rows } of tables()) {
    add('tables');
    add('rows', rows);
  }
  add('registry keys', registry.count());
  add('duplicate entries', duplicates.count());
  add('groups', groups.groups().length);
  add('telemetry handlers', telemetry.handlersOf('soak.event').length);
  add('log backends', logging.backends().length);
  for (const kind of process.getActiveResourcesInfo()) add(`resource ${kind}`);
  for (const event of process.eventNames()) add('listeners of the process', process.listenerCount(event));
  add('descriptors', readdirSync('/proc/self/fd').length);
  add('threads', readdirSync('/proc/self/task').length);
  add('child processes', osProcesses().filter(({ parent }) => parent === process.pid).length);
  return all;
}

/** What is more or less than it was, as 'links: 12, not 10'. */
export function differences(now: Counts, before: Counts): string[] {
  const names = [...new Set([...Object.keys(before), ...Object.keys(now)])];
  return names.flatMap((name) => {
    const [is, was] = [now[name] ?? 0, before[name] ?? 0];
    return is === was ? [] : [`${name}: ${is}, not ${was}`];
  });
}
