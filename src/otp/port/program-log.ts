import { StringDecoder } from 'node:string_decoder';

/** Of a longer line, the beginning is kept. */
const MAX_LINE = 1_000;
const LAST_LINES = 20;
/** So many lines may come at once, and so many a second: a program that floods must not fill the log. */
const BURST = 200;
const PER_SECOND = 50;

/** What a program says beside its frames: logged by lines, never more of them than a log can bear, and the last are kept. */
export class ProgramLog {
  /** Oldest first. */
  readonly last: string[] = [];
  readonly #log: (line: string) => void;
  readonly #now: () => number;
  #allowed = BURST;
  #since: number;
  #dropped = 0;

  constructor(log: (line: string) => void, now: () => number = () => performance.now()) {
    this.#log = log;
    this.#now = now;
    this.#since = now();
  }

  /** For each stream one: a line of one must not get into a line of another. */
  lines(): LineSplitter {
    return new LineSplitter((line) => this.#said(line));
  }

  /** Says what was dropped, and not yet said to be. */
  end(): void {
    if (this.#dropped > 0) this.#log(`(${this.#dropped} lines were dropped: it says too much)`);
    this.#dropped = 0;
  }

  #said(line: string): void {
    this.last.push(line);
    if (this.last.length > LAST_LINES) this.last.shift();
    const now = this.#now();
    this.#allowed = Math.min(BURST, this.#allowed + ((now - this.#since) / 1000) * PER_SECOND);
    this.#since = now;
    if (this.#allowed < 1) {
      this.#dropped++;
      return;
    }
    this.#allowed--;
    this.end();
    this.#log(line);
  }
}

class LineSplitter {
  readonly #said: (line: string) => void;
  readonly #decoder = new StringDecoder('utf8');
  #line = '';

  constructor(said: (line: string) => void) {
    this.#said = said;
  }

  push(bytes: Buffer): void {
    const [first = '', ...rest] = this.#decoder.write(bytes).split('\n');
    this.#append(first);
    for (const text of rest) {
      this.#complete();
      this.#append(text);
    }
  }

  end(): void {
    this.#append(this.#decoder.end());
    this.#complete();
  }

  #append(text: string): void {
    if (this.#line.length < MAX_LINE) this.#line = (this.#line + text).slice(0, MAX_LINE);
  }

  #complete(): void {
    const line = this.#line.trimEnd();
    this.#line = '';
    if (line !== '') this.#said(line);
  }
}
