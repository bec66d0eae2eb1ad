import {
  type ChildSpec,
  child,
  Server,
  type ServerRef,
  type SupervisorRef,
  supervisor,
} from '../../otp/index.ts';
import type { Announcer } from './announcer.ts';
import type { Presence } from './claims.ts';
import type { Link } from './interfaces.ts';

export interface MdnsEffects {
  /** What is true now; asked again when it may have changed. */
  presence(): Promise<Presence>;
  /** The interfaces that are up. */
  links(): Link[];
  say(message: string): void;
  /** Fulfilled when the network may begin. */
  turn: Promise<void>;
}

/** Addresses of IPv6 come without a word to anybody here. */
const LOOK_EVERY_MS = 5_000;
/** For goodbyes. */
const END_MS = 1_000;

/** However often it ends, the device stays: it is only not found by its name for a while. */
export function mdns(effects: MdnsEffects): ChildSpec<SupervisorRef> {
  return supervisor({
    ...{ id: 'mdns', maxRestarts: Infinity, backoff: { minMs: 1_000, maxMs: 60_000 } },
    children: [child(Mdns, { name: 'mdns', shutdown: END_MS, args: [effects] })],
  });
}

/** The device's names in its network: `NAME.local`, and one with its serial. */
export class Mdns extends Server {
  #effects: MdnsEffects | undefined;
  #announcer: Announcer | undefined;
  /** What it says. */
  #told = '';

  override init(effects: MdnsEffects): void {
    this.#effects = effects;
    const me: ServerRef<Mdns> = this.self;
    void effects.turn.then(() => me.cast('renew'));
  }

  /** The device is to be known by what it is now. */
  async renew(): Promise<void> {
    if (!this.#effects) return;
    const { presence, say } = this.#effects;
    const first = this.#announcer === undefined;
    const { Announcer } = await import('../later.ts');
    let is: Presence;
    try {
      is = await presence();
    } catch (error) {
      // A disk that cannot be read is no reason to be started anew for ever.
      say(`no name in the network: ${(error as Error).message}`);
      return;
    }
    const told = JSON.stringify(is);
    if (told === this.#told) return;
    this.#told = told;
    await this.#announcer?.end();
    this.#announcer = new Announcer(is, { say });
    await this.look();
    if (first) this.sendAfter(LOOK_EVERY_MS, 'look');
  }

  /** The network has changed. */
  async look(): Promise<void> {
    if (this.#effects) await this.#announcer?.look(this.#effects.links());
  }

  override async info(): Promise<void> {
    await this.look();
    this.sendAfter(LOOK_EVERY_MS, 'look');
  }

  override async terminate(): Promise<void> {
    await this.#announcer?.end();
  }
}
