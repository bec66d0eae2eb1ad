import type { AppState } from '../app/runner.ts';

/** What somebody who works on the app sees of it. */
export interface Onlooker {
  /** A line that the app wrote. */
  output(line: string): void;
  state(state: AppState): void;
  /** What is said of the app: why it ended, and when it is started again. */
  report(message: string): void;
}

/** Whoever looks at the app, now and then: sessions come and go, and so may the app's own server. */
export class Onlookers implements Onlooker {
  readonly #all = new Set<Onlooker>();
  #debuggers = 0;

  /** @returns ends it */
  add(onlooker: Onlooker): () => void {
    this.#all.add(onlooker);
    return () => void this.#all.delete(onlooker);
  }

  /** Whether somebody may have halted the app. */
  get debug(): boolean {
    return this.#debuggers > 0;
  }

  /** @returns ends it */
  addDebugger(): () => void {
    let counts = 1;
    this.#debuggers += counts;
    return () => {
      this.#debuggers -= counts;
      counts = 0;
    };
  }

  output(line: string): void {
    for (const each of this.#all) each.output(line);
  }

  state(state: AppState): void {
    for (const each of this.#all) each.state(state);
  }

  report(message: string): void {
    for (const each of this.#all) each.report(message);
  }
}
