import type { OsProcess } from './proc.ts';
import { ZOMBIE_BOUND_MS, type Zombie } from './verdicts.ts';

/** Between looks: several must have seen the same one before it counts. */
const LOOK_MS = 300;

/** Looks for processes that have ended, and that nobody waits for. */
export class ZombieWatch {
  readonly #seen = new Map<string, { process: OsProcess; since: number }>();
  readonly #old = new Map<string, Zombie>();
  readonly #timer: NodeJS.Timeout;

  constructor(look: () => readonly OsProcess[]) {
    this.#timer = setInterval(() => this.#look(look()), LOOK_MS);
  }

  /** Those that were there for too long. */
  stop(): Zombie[] {
    clearInterval(this.#timer);
    return [...this.#old.values()];
  }

  #look(processes: readonly OsProcess[]): void {
    const now = performance.now();
    const zombies = new Map(
      processes
        .filter(({ state }) => state === 'Z')
        .map((process) => [`${process.pid} ${process.startedAt}`, process]),
    );
    for (const key of this.#seen.keys()) if (!zombies.has(key)) this.#seen.delete(key);
    for (const [key, process] of zombies) {
      const { since } = this.#seen.get(key) ?? { since: now };
      this.#seen.set(key, { process, since });
      const forMs = now - since;
      if (forMs > ZOMBIE_BOUND_MS) this.#old.set(key, { pid: process.pid, command: process.command, forMs });
    }
  }
}
