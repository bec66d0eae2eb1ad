import type { Address } from '../process/address.ts';
import { MAX_TIMER_MS } from '../process/deadlines.ts';
import { Message } from '../process/message.ts';
import { ownerOf } from '../process/owner.ts';
import { currentProcess, type Possession, type Process } from '../process/process.ts';
import type { ServerRef } from '../server/ref.ts';
import type { Server } from '../server/server.ts';

/**
 * Time by the clock that never jumps: `performance.now()`, which neither NTP nor a missing real-time clock can set.
 * A timer belongs to the process whose handler makes it, and goes with it.
 */
export interface TimerOptions {
  /** Whose it is instead: to be said after a handler's first `await`, where it would live until it is cancelled. */
  owner?: Address | undefined;
}

/** Something that will happen, unless it is cancelled. `Symbol.dispose` cancels it too. */
export class Timer implements Possession, Disposable {
  readonly #owner: Process | undefined;
  readonly #start = performance.now();
  readonly #ms: number;
  readonly #repeat: boolean;
  readonly #fire: (owner: Process | undefined) => boolean;
  /** Which repetition is due next: the first is 1. */
  #nth = 1;
  #missed = 0;
  #timeout: NodeJS.Timeout | undefined;

  /** @param fire gives false when there is nobody left to do it for */
  constructor(
    ms: number,
    repeat: boolean,
    owner: Process | undefined,
    fire: (owner: Process | undefined) => boolean,
  ) {
    if (!(ms >= (repeat ? 1 : 0) && ms < Infinity)) throw new RangeError(`not a time in milliseconds: ${ms}`);
    this.#ms = ms;
    this.#repeat = repeat;
    this.#owner = owner;
    this.#fire = fire;
    owner?.owns(this);
    this.#arm();
  }

  get active(): boolean {
    return this.#timeout !== undefined;
  }

  /** Milliseconds until it is due; 0 when it is over. */
  get remainingMs(): number {
    return this.active ? Math.max(0, this.#due - this.#elapsed()) : 0;
  }

  /** How many repetitions were left out because their time had passed before the program could look. */
  get missed(): number {
    return this.#missed;
  }

  /** False when it was over already. A message that it has sent is not called back. */
  cancel(): boolean {
    const active = this.active;
    this.#owner?.possessions?.delete(this);
    this.released();
    return active;
  }

  [Symbol.dispose](): void {
    this.cancel();
  }

  released(): void {
    clearTimeout(this.#timeout);
    this.#timeout = undefined;
  }

  /** In milliseconds after the start. */
  get #due(): number {
    return this.#nth * this.#ms;
  }

  #elapsed(): number {
    return performance.now() - this.#start;
  }

  /** Always for a time after the start, never for one after the last repetition: what one is late does not add up. */
  #arm(): void {
    const left = Math.max(0, this.#due - this.#elapsed());
    // Node's timers know whole milliseconds, and are early by parts of one.
    this.#timeout = setTimeout(() => this.#look(), Math.min(MAX_TIMER_MS, Math.ceil(left)));
  }

  #look(): void {
    if (this.#elapsed() < this.#due) {
      this.#arm();
      return;
    }
    if (this.#repeat) this.#next();
    else this.cancel();
    // After it is armed again: what it does may cancel it.
    if (!this.#fire(this.#owner)) this.cancel();
  }

  #next(): void {
    const next = Math.floor(this.#elapsed() / this.#ms) + 1;
    this.#missed += Math.max(0, next - this.#nth - 1);
    this.#nth = Math.max(next, this.#nth + 1);
    this.#arm();
  }
}

type Sent<T extends Server> = Parameters<ServerRef<T>['send']>[0];

/**
 * Sends a message to `info` of a server after a while: to whoever has the name then.
 * @throws RangeError; OwnerError
 */
export function sendAfter<T extends Server>(
  ms: number,
  to: ServerRef<T>,
  message: Sent<T>,
  options: TimerOptions = {},
): Timer {
  return new Timer(
    ms,
    false,
    ownerFor(options),
    sender(to, message, (target, info) => target.admit(info)),
  );
}

/**
 * Sends a message again and again, for the first time after `ms`. It ends when the server itself has ended; a name is
 * waited for. While the server's mailbox is full, or the program is held up, repetitions are left out: they never come in a
 * burst.
 * @throws RangeError when `ms` is less than 1; OwnerError
 */
export function sendEvery<T extends Server>(
  ms: number,
  to: ServerRef<T>,
  message: Sent<T>,
  options: TimerOptions = {},
): Timer {
  return new Timer(ms, true, ownerFor(options), sender(to, message, unlessFull));
}

/**
 * Calls a function after a while: in its owner's process, before the next message, so that it may touch its state, and ends
 * the process when it throws; without an owner as `setTimeout` would.
 * @throws RangeError; OwnerError
 */
export function applyAfter(ms: number, work: () => unknown, options: TimerOptions = {}): Timer {
  return new Timer(ms, false, ownerFor(options), caller(work));
}

/**
 * Calls a function again and again, for the first time after `ms`: as `applyAfter` does. A repetition is left out while
 * the one before has not begun.
 * @throws RangeError when `ms` is less than 1; OwnerError
 */
export function applyEvery(ms: number, work: () => unknown, options: TimerOptions = {}): Timer {
  return new Timer(ms, true, ownerFor(options), caller(work));
}

function ownerFor({ owner }: TimerOptions): Process | undefined {
  return owner || currentProcess() ? ownerOf(owner, 'make a timer') : undefined;
}

function sender(
  to: Address,
  message: unknown,
  deliver: (target: Process, message: Message) => void,
): () => boolean {
  return () => {
    const target = to.find();
    if (target?.alive === false) return false;
    if (target) deliver(target, new Message('info', '', [message]));
    return true;
  };
}

/** One message of many may be lost, and must not be what fills the memory when its receiver hangs. */
function unlessFull(target: Process, message: Message): void {
  if (!target.full) target.deliver(message);
}

function caller(work: () => unknown): (owner: Process | undefined) => boolean {
  let waiting = false;
  return (owner) => {
    if (!owner) {
      work();
      return true;
    }
    if (waiting) return true;
    waiting = true;
    owner.continueWith(() => {
      waiting = false;
      return work();
    });
    return true;
  };
}
