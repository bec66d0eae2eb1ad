import type { OsProcess } from './proc.ts';
import { ZOMBIE_BOUND_MS, type Zombie } from './verdicts.ts';

const LOOK_MS = 300;
/** After so many turns of the program's event loop it has had its chance: on a busy machine a second may not be one. */
const TURNS = 2;

/** Looks for processes that have ended, and that nobody waits for. */
export class ZombieWatch {
  readonly #seen = new Map<string, { process: OsProcess; since: number; turn: number }>();
  readonly #old = new Map<string, Zombie>();
  readonly #timer: NodeJS.Timeout;
  #turn = 0;

  constructor(look: () => readonly OsProcess[]) {
    this.#timer = setInterval(() => this.#look(look()), LOOK_MS);
  }

  /** The program has answered what it was asked a moment ago. */
  turned(): void {
    this.#turn++;
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
      const { since, turn } = this.#seen.get(key) ?? { since: now, turn: this.#turn };
      this.#seen.set(key, { process, since, turn });
      const forMs = now - since;
      if (forMs > ZOMBIE_BOUND_MS && this.#turn - turn > TURNS)
        this.#old.set(key, { pid: process.pid, command: process.command, forMs });
    }
  }
}
