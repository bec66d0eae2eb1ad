import { writeFileSync } from 'node:fs';
import { PortServer, type ServerRef } from '../../otp/index.ts';
import { createUeventParser, type Uevent } from './uevent.ts';

/** Marks the event that we ask for ourselves, to know that the listener listens. */
const PROBE_UUID = '6d6c1f5e-5f0b-4a57-9c43-1c36c1f0b1a9';
/** A device that is everywhere and that nobody cares about. */
const PROBE_FILE = 'devices/virtual/mem/null/uevent';
const PROBE_EVERY_MS = 200;
/** By then it listens, or this kernel repeats no events. */
const MAX_PROBES = 50;

export interface ListenerOptions {
  /** Prints each event's variables: `busybox uevent busybox env`. */
  command: string;
  args: readonly string[];
  sys: string;
  /** Fulfilled when it may begin. */
  turn: Promise<void>;
  onEvent(event: Uevent): void;
  /** From now on nothing is missed; what came before may have been. */
  onHeard(): void;
}

/** Hears the kernel's uevents. It lives and dies with the program that prints them. */
export class Listener extends PortServer<string> {
  #options: ListenerOptions | undefined;
  #parse = (_text: string): void => {};
  #heard = false;
  #probes = 0;

  override init(options: ListenerOptions): void {
    this.#options = options;
    this.#parse = createUeventParser((event) => {
      if (!this.#heard) options.onHeard();
      this.#heard = true;
      if (event.synthetic !== PROBE_UUID) options.onEvent(event);
    });
    const me: ServerRef<Listener> = this.self;
    void options.turn.then(() => me.cast('listen'));
  }

  async listen(): Promise<void> {
    if (!this.#options) return;
    const { command, args } = this.#options;
    // Without an environment of its own: `env` prints that too.
    await this.open({ command, args, env: {}, line: true });
    this.info();
  }

  /** Asks the kernel for an event, until one is heard. */
  override info(): void {
    if (this.#heard || this.#probes++ >= MAX_PROBES) return;
    try {
      writeFileSync(`${this.#options?.sys}/${PROBE_FILE}`, `change ${PROBE_UUID}`);
    } catch {
      // Without the file the first real event does it.
    }
    this.sendAfter(PROBE_EVERY_MS, 'probe');
  }

  protected override output(line: string): void {
    this.#parse(`${line}\n`);
  }
}
