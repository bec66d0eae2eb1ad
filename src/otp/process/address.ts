import { CallError } from './errors.ts';
import { currentProcess, type Process } from './process.ts';
import type { ExitReason } from './reason.ts';
import { exitSignal } from './signals.ts';

/** Whatever leads to a process: a reference to this very one, or a name that another may have tomorrow. */
export abstract class Address {
  /** The process now; undefined when there is none. */
  abstract find(): Process | undefined;
  abstract toString(): string;

  /** @throws CallError 'noproc' */
  process(): Process {
    const found = this.find();
    if (found) return found;
    throw new CallError(this.toString(), 'link', 'noproc');
  }

  get alive(): boolean {
    return this.find()?.alive ?? false;
  }

  /**
   * Sends an exit signal; 'kill' cannot be trapped. What it ends with, its own links pass on. From outside of any handler,
   * also after an `await` of one, it counts as sent by the target itself.
   */
  exit(reason: ExitReason | 'kill'): void {
    const target = this.find();
    const sender = currentProcess();
    // A process does not ignore a 'normal' of its own.
    if (target && target === sender && reason === 'normal' && !target.trapExit) target.exit(reason);
    else if (target) exitSignal(target, reason, sender ?? target);
  }

  /** Fulfilled with the reason when the process has ended; at once with 'noproc' when there is none. */
  ended(): Promise<ExitReason> {
    const target = this.find();
    if (!target?.alive) return Promise.resolve(target?.reason ?? 'noproc');
    return new Promise((resolve) => {
      target.watchedBy({ down: (_, reason) => resolve(reason) });
    });
  }
}
