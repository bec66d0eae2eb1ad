import type { Duplex } from 'node:stream';
import { FwError } from '../errors.ts';
import { TerminalText } from './terminal-text.ts';

/** What is kept of a console, in UTF-16 units: days of a quiet one, minutes of a flood. */
const MAX_CHARS = 8 * 1024 * 1024;
/** Longer lines are cut into pieces, so that binary rubbish without line ends cannot fill the memory. */
const MAX_LINE = 64 * 1024;
const SHOWN_LINES = 20;
/** Marks lines that no guest has printed. */
const NOTE = '[rig] ';

export interface WaitOptions {
  /** Default 60 s. */
  timeoutMs?: number;
  /** Also look at a last line that is not complete, such as a prompt. What matches may then be cut short. */
  partial?: boolean;
  /** Where to start: behind the last match (default), at the first line that is kept, or with what comes from now on. */
  from?: 'last-match' | 'start' | 'now';
  /** Whether later waits start behind this match. Default true. */
  take?: boolean;
}

interface Position {
  line: number;
  column: number;
}

interface Waiter {
  pattern: RegExp;
  partial: boolean;
  take: boolean;
  at: Position;
  resolve(match: RegExpExecArray): void;
  reject(error: Error): void;
}

function escapeRegExp(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&');
}

function laterOf(a: Position, b: Position): Position {
  return b.line > a.line || (b.line === a.line && b.column > a.column) ? b : a;
}

/**
 * A serial port of an emulated machine, as lines of plain text. Keeps a bounded transcript, finds what tests wait
 * for, and survives the machine: after a reset another stream may be attached and the transcript goes on.
 *
 * Iterating gives every complete line, from the first that is kept, until the machine is gone.
 */
export class Lines implements AsyncIterable<string> {
  /** For messages, e.g. `console`. */
  readonly name: string;
  #text = new TerminalText();
  #stream: Duplex | undefined;
  #lines: string[] = [];
  /** How many lines were dropped before `#lines[0]`. */
  #dropped = 0;
  #chars = 0;
  #partial = '';
  #cursor: Position = { line: 0, column: 0 };
  #ended: FwError | undefined;
  readonly #waiters = new Set<Waiter>();
  readonly #listeners = new Set<(bytes: Uint8Array) => void>();
  #wake = Promise.withResolvers<void>();

  constructor(name: string) {
    this.name = name;
  }

  /** Takes its bytes from this stream from now on, and writes to it. */
  attach(stream: Duplex): void {
    this.#stream = stream;
    this.#text = new TerminalText();
    stream.on('data', (bytes: Uint8Array) => this.#take(bytes));
    // A QEMU that dies resets the connection; who watches the process says what happened.
    stream.on('error', () => stream.destroy());
  }

  /** Everything that is kept, as text; a last line that is not complete included. */
  get transcript(): string {
    return [...this.#lines, this.#partial].join('\n');
  }

  /** The last complete lines, for messages. */
  tail(count: number = SHOWN_LINES): string {
    return this.transcript.trimEnd().split('\n').slice(-count).join('\n');
  }

  /** Types on the serial port. What nobody can receive any more is dropped, as on a real one. */
  write(data: string | Uint8Array): void {
    if (this.#stream?.writable) this.#stream.write(data);
  }

  /** Puts a line of ours between those of the guest, marked as such, for whoever reads along. Nothing waits for it. */
  note(text: string): void {
    if (this.#ended) return;
    const start = this.#partial === '' ? '' : '\n';
    for (const listener of [...this.#listeners]) listener(Buffer.from(`${NOTE}${text}\r\n`));
    this.#append(`${start}${NOTE}${text}\n`);
  }

  /** Calls the listener with every piece of raw bytes, until the function that it returns is called. */
  onData(listener: (bytes: Uint8Array) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /**
   * Waits for a line that matches; a string matches anywhere in a line. The match is taken: the next wait starts
   * behind it. Complete lines only, unless `partial`.
   * @throws FwError `console-timeout` with the last lines, or why the machine is gone
   */
  waitFor(pattern: string | RegExp, options: WaitOptions = {}): Promise<RegExpExecArray> {
    const { timeoutMs = 60_000, partial = false, from = 'last-match', take = true } = options;
    const regexp = typeof pattern === 'string' ? new RegExp(escapeRegExp(pattern)) : pattern;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#waiters.delete(waiter);
        reject(this.#timeoutError(pattern, timeoutMs));
      }, timeoutMs);
      const done = (): void => {
        clearTimeout(timer);
        this.#waiters.delete(waiter);
      };
      const waiter: Waiter = {
        // A copy: with g or y a regexp remembers where it was.
        pattern: new RegExp(regexp),
        partial,
        take,
        at: this.#startOf(from),
        resolve: (match) => {
          done();
          resolve(match);
        },
        reject: (error) => {
          done();
          reject(error);
        },
      };
      this.#waiters.add(waiter);
      this.#try(waiter);
      if (this.#ended) waiter.reject(this.#ended);
    });
  }

  /** Takes everything that has come so far as matched: the next wait starts with what comes from now on. */
  skip(): void {
    this.#cursor = this.#startOf('now');
  }

  /** The machine is gone: whoever waits learns why. */
  end(reason: FwError): void {
    if (this.#ended) return;
    if (this.#partial !== '') this.#append('\n');
    this.#ended = reason;
    for (const waiter of [...this.#waiters]) waiter.reject(reason);
    this.#wake.resolve();
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<string> {
    for (let next = this.#dropped; ; ) {
      next = Math.max(next, this.#dropped);
      const line = this.#lines[next - this.#dropped];
      if (line !== undefined) {
        next++;
        yield line;
      } else if (this.#ended) return;
      else await this.#wake.promise;
    }
  }

  #startOf(from: 'last-match' | 'start' | 'now'): Position {
    if (from === 'start') return { line: 0, column: 0 };
    if (from === 'last-match') return this.#cursor;
    return { line: this.#dropped + this.#lines.length, column: this.#partial.length };
  }

  #take(bytes: Uint8Array): void {
    if (this.#ended) return;
    for (const listener of [...this.#listeners]) listener(bytes);
    this.#append(this.#text.push(bytes));
  }

  #append(text: string): void {
    const pieces = (this.#partial + text).split('\n');
    let last = pieces.pop() ?? '';
    while (last.length > MAX_LINE) {
      pieces.push(last.slice(0, MAX_LINE));
      last = last.slice(MAX_LINE);
    }
    this.#partial = last;
    for (const line of pieces) this.#chars += line.length;
    this.#lines.push(...pieces);
    this.#trim();
    for (const waiter of [...this.#waiters]) this.#try(waiter);
    if (pieces.length > 0) {
      this.#wake.resolve();
      this.#wake = Promise.withResolvers();
    }
  }

  /** Drops old lines, a quarter at a time, so that a flood does not move the array at every line. */
  #trim(): void {
    if (this.#chars <= MAX_CHARS) return;
    let count = 0;
    for (; this.#chars > MAX_CHARS * 0.75 && count < this.#lines.length; count++) {
      this.#chars -= this.#lines[count]?.length ?? 0;
    }
    this.#lines.splice(0, count);
    this.#dropped += count;
  }

  #try(waiter: Waiter): void {
    if (waiter.at.line < this.#dropped) waiter.at = { line: this.#dropped, column: 0 };
    const end = this.#dropped + this.#lines.length;
    for (; waiter.at.line < end; waiter.at = { line: waiter.at.line + 1, column: 0 }) {
      const line = this.#lines[waiter.at.line - this.#dropped] ?? '';
      if (!line.startsWith(NOTE) && this.#matches(waiter, line)) return;
    }
    if (waiter.partial) this.#matches(waiter, this.#partial);
  }

  #matches(waiter: Waiter, line: string): boolean {
    const match = waiter.pattern.exec(line.slice(waiter.at.column));
    if (!match) return false;
    const column = waiter.at.column + match.index + match[0].length;
    if (waiter.take) this.#cursor = laterOf(this.#cursor, { line: waiter.at.line, column });
    waiter.resolve(match);
    return true;
  }

  #timeoutError(pattern: string | RegExp, timeoutMs: number): FwError {
    return new FwError(
      'console-timeout',
      `nothing like ${pattern instanceof RegExp ? pattern : `'${pattern}'`} came within ${timeoutMs / 1000} s; the last lines were:\n${this.tail()}`,
      { where: this.name },
    );
  }
}
