import { ReplyError, Server, type ServerRef } from '../../src/otp/index.ts';
import type { Random } from './random.ts';
import { trouble } from './shared.ts';

/** What the soak crashes on purpose: every crash of it is one of these. */
export class OnPurpose extends Error {}

export interface Habits {
  /** Whether the ends of others are messages to it. */
  trap?: boolean;
  /** How long `init` takes. */
  initMs?: number;
  /** How long `terminate` takes. */
  endMs?: number;
  /** Of so many starts in a hundred `init` throws; of so many ends `terminate` does. */
  failInit?: number;
  failEnd?: number;
  random?: Random;
}

export const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** The server that is called, cast to, linked, monitored and crashed. */
export class Subject extends Server {
  /** What it can be asked for by `sys`. */
  count = 0;
  #habits: Habits = {};

  override async init(habits: Habits = {}): Promise<void> {
    this.#habits = habits;
    this.trapExit = habits.trap ?? false;
    if (habits.initMs !== undefined) await pause(habits.initMs);
    if (this.#happens(habits.failInit)) throw new OnPurpose('init');
  }

  echo<T>(value: T): T {
    this.count++;
    return value;
  }

  async slow<T>(ms: number, value: T): Promise<T> {
    await pause(ms);
    return value;
  }

  soon<T>(ms: number, value: T) {
    return this.later(pause(ms).then(() => value));
  }

  async fail(how: 'throw' | 'reject' | 'stop' | 'reply' | 'late reply' | 'quit'): Promise<unknown> {
    switch (how) {
      case 'throw':
        throw new OnPurpose('a handler');
      case 'reject':
        await null;
        throw new OnPurpose('a handler, after an await');
      case 'stop':
        this.stop(new OnPurpose('a stop'));
        return undefined;
      case 'reply':
        throw new ReplyError('on purpose');
      case 'late reply':
        await null;
        throw new ReplyError('on purpose');
      case 'quit':
        this.stop();
        return undefined;
    }
  }

  /** Holds up the event loop. */
  burn(ms: number): void {
    const until = performance.now() + ms;
    while (performance.now() < until);
  }

  tie(other: ServerRef<Subject>): void {
    this.link(other);
  }

  watch(other: ServerRef<Subject>, giveUpAfter: boolean): void {
    const monitor = this.monitor(other);
    if (giveUpAfter) monitor[Symbol.dispose]();
  }

  remind(ms: number): void {
    this.sendAfter(ms, 'reminder');
  }

  /** Many messages to itself, of which the last starts none. */
  continueFor(steps: number): void {
    if (steps > 0) this.continueWith(() => this.continueFor(steps - 1));
  }

  me(): ServerRef<Subject> {
    return this.self;
  }

  override info(_message: unknown): void {
    this.count++;
  }

  override async terminate(): Promise<void> {
    if (this.#habits.endMs !== undefined) await pause(this.#habits.endMs);
    if (this.#happens(this.#habits.failEnd)) throw new OnPurpose('terminate');
  }

  #happens(percent = 0): boolean {
    return trouble.on && (this.#habits.random?.chance(percent / 100) ?? false);
  }
}
