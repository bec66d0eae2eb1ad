import type { Address } from './address.ts';
import { Message } from './message.ts';
import type { Process, Watcher } from './process.ts';
import type { ExitReason } from './reason.ts';

/** A message to who monitors a process that has ended; 'noproc' where it had ended before, or never was. */
export class Down {
  readonly monitor: Monitor;
  readonly reason: ExitReason;
  constructor(monitor: Monitor, reason: ExitReason) {
    this.monitor = monitor;
    this.reason = reason;
  }
}

/** One process' wish to be told of another's end, by a `Down` message. */
export class Monitor implements Watcher, Disposable {
  readonly #watcher: Process;
  #target: Process | undefined;

  constructor(watcher: Process, target: Address) {
    this.#watcher = watcher;
    this.#target = target.find();
    if (!this.#target?.alive) this.down(undefined, 'noproc');
    else if (watcher.alive) {
      this.#target.watchedBy(this);
      watcher.monitors ??= new Set();
      watcher.monitors.add(this);
    }
  }

  /** After this no `Down` message comes; one that lies in the mailbox already stays. */
  [Symbol.dispose](): void {
    this.#target?.watchers?.delete(this);
    this.#watcher.monitors?.delete(this);
    this.#target = undefined;
  }

  down(_target: Process | undefined, reason: ExitReason): void {
    this.#target = undefined;
    this.#watcher.monitors?.delete(this);
    this.#watcher.admit(new Message('info', '', [new Down(this, reason)]));
  }
}
