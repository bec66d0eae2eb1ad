import { mkdirSync, readdirSync, readFileSync, watch } from 'node:fs';
import { type Lease, parseLease } from './lease.ts';

/** What the clients' scripts report, by interface: in files, because they must not depend on hearthd being there. */
export class Leases {
  readonly #directory: string;
  readonly #known = new Map<string, Lease>();
  readonly #say: (message: string) => void;

  constructor(directory: string, say: (message: string) => void) {
    this.#directory = directory;
    this.#say = say;
  }

  get names(): string[] {
    return [...this.#known.keys()];
  }

  all(): Record<string, Lease> {
    return Object.fromEntries(this.#known);
  }

  /** Calls back for every lease that is there, that comes or that changes, until the signal. */
  watch(onLease: (name: string) => void, signal: AbortSignal): void {
    const seen = (file: string | null): void => {
      if (file?.endsWith('.lease')) onLease(file.slice(0, -'.lease'.length));
    };
    try {
      mkdirSync(this.#directory, { recursive: true });
      const watcher = watch(this.#directory, { signal }, (_, file) => seen(file));
      watcher.on('error', (error) => this.#say(`the leases are no longer watched: ${error.message}`));
      for (const file of readdirSync(this.#directory)) seen(file);
    } catch (error) {
      // /run is full, or out of inotify watches: addresses come all the same, only nobody hears of them.
      this.#say(`the leases cannot be watched: ${String(error)}`);
    }
  }

  /** Returns whether there is one to be read. */
  read(name: string): boolean {
    let lease: Lease | undefined;
    try {
      lease = parseLease(readFileSync(`${this.#directory}/${name}.lease`, 'utf8'));
    } catch {
      // Replaced at this moment; its own event follows.
    }
    if (!lease) return false;
    const before = this.#known.get(name);
    this.#known.set(name, lease);
    if (before?.address !== lease.address)
      this.#say(lease.address ? `${name}: ${lease.address}` : `${name}: no address (${lease.event})`);
    return true;
  }

  forget(name: string): void {
    this.#known.delete(name);
  }
}
