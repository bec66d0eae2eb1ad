import { styleText } from 'node:util';
import type { Progress } from '../build/progress.ts';
import { plainLine, progressLine, Rate } from './progress-text.ts';

/** How the command line talks while it works: progress and notes, on standard error. Results go to standard output. */
export interface Output {
  /** How far long work is: on a terminal a line that is replaced by the next, elsewhere one line for each step. */
  progress(progress: Progress): void;
  /** A step of which no more is known. */
  step(text: string): void;
  /** A line that stays. */
  line(text: string): void;
  /** The same for what the user should not overlook. */
  warn(text: string): void;
  /** Takes a replaced line away. */
  done(): void;
}

/** What of a stream is needed to talk on it. */
export type TextStream = NodeJS.WritableStream & { isTTY?: boolean; columns?: number };

/** What standard error is: a terminal that can replace a line, or something that keeps every line. */
export function terminalOutput(
  stream: NodeJS.WriteStream = process.stderr,
  env: NodeJS.ProcessEnv = process.env,
): Output {
  const canReplace = stream.isTTY === true && env.TERM !== 'dumb';
  return canReplace ? new TerminalOutput(stream) : new PlainOutput(stream);
}

/** Says nothing; for `--json`. */
export const silent: Output = { progress() {}, step() {}, line() {}, warn() {}, done() {} };

const ERASE_LINE = '\r\x1b[K';
/** Often enough to look alive; a download tells every few kilobytes. */
const REDRAW_MS = 100;

/** Where nothing happens the line is drawn anew as well: a rate that was true a minute ago is wrong now. */
const STALE_MS = 1000;

export class TerminalOutput implements Output {
  readonly #stream: TextStream;
  readonly #now: () => number;
  #progress: Progress | undefined;
  #rate = new Rate();
  /** What is on the screen now. */
  #shown = '';
  #drawnAt = Number.NEGATIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;

  constructor(stream: TextStream, now: () => number = () => performance.now()) {
    this.#stream = stream;
    this.#now = now;
  }

  progress(progress: Progress): void {
    const before = this.#progress;
    const same = before?.step === progress.step && before.detail === progress.detail;
    if (!same) this.#rate = new Rate();
    if (progress.bytes) this.#rate.add(this.#now(), progress.bytes.done);
    this.#progress = progress;
    if (!same || this.#now() - this.#drawnAt >= REDRAW_MS) this.#draw();
    this.#timer ??= setInterval(() => this.#draw(), STALE_MS).unref();
  }

  step(text: string): void {
    this.progress({ step: text });
  }

  line(text: string): void {
    this.done();
    this.#stream.write(`${text}\n`);
  }

  warn(text: string): void {
    this.done();
    this.#stream.write(warning(text, this.#stream));
  }

  done(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#progress = undefined;
    if (this.#shown) this.#stream.write(ERASE_LINE);
    this.#shown = '';
    this.#drawnAt = Number.NEGATIVE_INFINITY;
  }

  #draw(): void {
    if (!this.#progress) return;
    const now = this.#now();
    // In its last column a terminal may already have begun the next line.
    const width = (this.#stream.columns || 80) - 1;
    const text = progressLine(this.#progress, this.#rate.at(now), width);
    this.#drawnAt = now;
    if (text === this.#shown) return;
    this.#stream.write(`${this.#shown ? ERASE_LINE : ''}${text}`);
    this.#shown = text;
  }
}

export class PlainOutput implements Output {
  readonly #stream: TextStream;
  readonly #told = new Set<string>();

  constructor(stream: TextStream) {
    this.#stream = stream;
  }

  progress(progress: Progress): void {
    if (this.#told.has(progress.step)) return;
    this.#told.add(progress.step);
    this.line(plainLine(progress));
  }

  step(text: string): void {
    this.progress({ step: text });
  }

  line(text: string): void {
    this.#stream.write(`${text}\n`);
  }

  warn(text: string): void {
    this.#stream.write(warning(text, this.#stream));
  }

  done(): void {}
}

function warning(text: string, stream: TextStream): string {
  return `${paint('yellow', 'warning:', stream)} ${text}\n`;
}

/** Colour where the stream is a terminal that has them, and NO_COLOR, FORCE_COLOR and TERM do not say otherwise. */
export function paint(style: Parameters<typeof styleText>[0], text: string, stream: TextStream): string {
  return styleText(style, text, { stream });
}
