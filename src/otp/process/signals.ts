import { Message } from './message.ts';
import type { Process } from './process.ts';
import type { ExitReason } from './reason.ts';
import { Ring } from './ring.ts';
import { SmallSet } from './small-set.ts';

/** A message to a process that traps exits: one that it is linked to has ended. */
export class Exit {
  readonly from: Process;
  readonly reason: ExitReason;
  constructor(from: Process, reason: ExitReason) {
    this.from = from;
    this.reason = reason;
  }
}

/** `a` links itself to `b`: when one ends, the other gets an exit signal; at once, if `b` has ended already. */
export function link(a: Process, b: Process): void {
  // Code of a process that was killed may still run after an `await`: it must not take others with it.
  if (a === b || !a.alive) return;
  if (!b.alive) {
    exitSignal(a, 'noproc', b);
    return;
  }
  a.links ??= new SmallSet();
  a.links.add(b);
  b.links ??= new SmallSet();
  b.links.add(a);
}

export function unlink(a: Process, b: Process): void {
  a.links?.delete(b);
  b.links?.delete(a);
}

/**
 * What an exit signal does: 'kill' ends any process, which then counts as 'killed'; one that traps exits gets a message
 * otherwise, unless the signal is from its parent, which it must not outlive; 'normal' is ignored; everything else ends
 * it with the same reason.
 */
export function exitSignal(target: Process, reason: ExitReason | 'kill', from: Process): void {
  if (!target.alive) return;
  if (reason === 'kill') target.kill('killed');
  else if (target.trapExit && from === target.parent) target.exit(reason);
  else if (target.trapExit) target.admit(new Message('info', '', [new Exit(from, reason)]));
  else if (reason !== 'normal') target.exit(reason);
}

const ended = new Ring<Process>();
let announcing = false;

/** Tells all who want to know. A chain of links is walked in a loop: it may be longer than the stack is deep. */
export function announceEnd(process: Process): void {
  ended.push(process);
  if (announcing) return;
  announcing = true;
  try {
    for (let next = ended.shift(); next; next = ended.shift()) tell(next);
  } finally {
    announcing = false;
  }
}

function tell(process: Process): void {
  const reason = process.reason ?? 'normal';
  const { links, watchers } = process;
  process.links = process.watchers = undefined;
  for (const linked of links ?? []) {
    linked.links?.delete(process);
    exitSignal(linked, reason, process);
  }
  for (const watcher of watchers ?? []) watcher.down(process, reason);
}
