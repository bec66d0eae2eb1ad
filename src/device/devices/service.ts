import {
  type ChildSpec,
  child,
  named,
  Server,
  type ServerRef,
  type SupervisorRef,
  supervisor,
  Task,
} from '../../otp/index.ts';
import { Hardware, type HardwareEffects, type HardwareOptions } from './hardware.ts';
import { Listener, type ListenerOptions } from './listener.ts';
import type { Uevent } from './uevent.ts';

/** A USB hub that is plugged in makes dozens of events: their modules are loaded by one process. */
const GATHER_MS = 20;

export interface DevicesOptions extends HardwareOptions {
  listener: Pick<ListenerOptions, 'command' | 'args'>;
}

export interface DevicesEffects extends HardwareEffects {
  /** The hardware that was there at the start has its modules. */
  onSettled(): void;
  /** Fulfilled when what takes time may begin. */
  turn: Promise<void>;
}

/**
 * What udev does elsewhere: modules for the hardware that is there or is plugged in, device nodes handed to groups, stable
 * names for serial ports and disks. A listener that ends is started again, ever more slowly: the device does without it.
 */
export function devices(options: DevicesOptions, effects: DevicesEffects): ChildSpec<SupervisorRef> {
  const server = named<Devices>('devices');
  const listener: ListenerOptions = {
    ...options.listener,
    sys: options.sys,
    turn: effects.turn,
    onEvent: (event) => server.cast('happened', event),
    // What came while nobody listened.
    onHeard: () => server.cast('look'),
  };
  return supervisor({
    id: 'devices',
    strategy: 'rest_for_one',
    maxRestarts: Infinity,
    backoff: { minMs: 1_000, maxMs: 60_000 },
    children: [
      child(Devices, { name: 'devices', shutdown: 'brutal', args: [options, effects] }),
      child(Listener, { name: 'hot-plug', shutdown: 'brutal', args: [listener] }),
    ],
  });
}

/** Deals with the hardware, one event after the other. */
export class Devices extends Server {
  #hardware: Hardware | undefined;
  #onNetwork = (): void => {};
  #onSettled = (): void => {};
  /** Modules to be loaded together. */
  readonly #waiting = new Set<string>();

  override init(options: HardwareOptions, effects: DevicesEffects): void {
    this.#hardware = new Hardware(options, effects);
    this.#onNetwork = effects.onNetwork;
    this.#onSettled = effects.onSettled;
    // Before the app can look.
    this.#hardware.grantPresent();
    const me: ServerRef<Devices> = this.self;
    void effects.turn.then(() => me.cast('look'));
  }

  /** Loads the modules of all devices that are there. */
  async look(): Promise<void> {
    await this.#hardware?.loadPresent(this.signal);
    this.#onSettled();
  }

  happened(event: Uevent): void {
    const names = this.#hardware?.happened(event) ?? [];
    if (this.#waiting.size === 0 && names.length > 0) this.sendAfter(GATHER_MS, 'load');
    for (const name of names) this.#waiting.add(name);
    if (event.subsystem === 'net') this.#onNetwork();
  }

  /** Loads what was gathered, while further events are dealt with: the nodes that a module makes are among them. */
  override info(): void {
    const batch = [...this.#waiting];
    this.#waiting.clear();
    Task.async(async () => this.#hardware?.load(batch));
  }
}
