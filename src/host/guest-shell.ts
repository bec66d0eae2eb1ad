import { randomBytes } from 'node:crypto';
import { StringDecoder } from 'node:string_decoder';
import { FwError } from '../errors.ts';
import type { Lines } from './lines.ts';

/** What a command did. */
export interface ShellResult {
  /** Standard output and standard error, as they came. */
  output: string;
  /** The exit status; 128 + signal when one killed it. */
  status: number;
}

export interface RunOptions {
  /** For the command, and for the shell to be there when it was just (re)started. Default 60 s. */
  timeoutMs?: number;
}

const DEFAULT_TIMEOUT_MS = 60_000;
/** From sending the agent to its answer; a shell that does not answer by then was none. */
const AGENT_TIMEOUT_MS = 15_000;
/** At the end of what came: busybox's and every other plain root or user prompt. */
const PROMPT = /[#$] $/;
const INTERRUPT = '\x03';
/** A terminal's line holds 4,096 bytes; UTF-8 has up to 3 for a UTF-16 unit. */
const MAX_INPUT_LINE = 1000;
const SHOWN_CHARS = 2000;

/**
 * A loop that replaces the interactive shell: no prompts, no echo, no line editing, which cuts lines at 1,024 bytes
 * and completes tabs. `+text` and `-text` collect a command (`-` ends a line of it), `!id` runs it in a subshell and
 * frames its output. Every line is acknowledged, because a terminal drops what does not fit into its buffer.
 */
function agent(id: string): string {
  const script = `
    stty -echo -onlcr 2>/dev/null;
    nl=$(printf '\\n.'); nl=\${nl%.}; c=;
    printf '<%s:ready>\\n' '${id}';
    while IFS= read -r l; do case $l in
      +*) c=$c\${l#?}; printf '<+>\\n';;
      -*) c=$c\${l#?}$nl; printf '<+>\\n';;
      '!'*) n=\${l#?}; printf '\\n<%s>\\n' "$n"; (eval "$c") </dev/null 2>&1; printf '\\n<%s:%d>\\n' "$n" $?; c=;;
    esac; done`;
  // One line: between two, an interactive shell would print its prompt.
  return script.trim().replace(/\n\s*/g, ' ');
}

interface Exchange {
  /** Called with everything that came since the exchange began; true ends it. */
  done(text: string): boolean;
  finish(): void;
  fail(error: FwError): void;
}

/**
 * Runs commands in a root shell at a serial port of the guest. Each runs in a subshell of its own with nothing on
 * its standard input. Commands wait for each other. After a reset the next command waits for the new shell.
 */
export class GuestShell {
  readonly #port: Lines;
  #decoder = new StringDecoder('utf8');
  #received = '';
  /** A terminal without stty sends CR LF for every line end. */
  #crlf = false;
  #exchange: Exchange | undefined;
  #state: 'no-shell' | 'busy' | 'ready' = 'no-shell';
  #last: Promise<unknown> = Promise.resolve();

  constructor(port: Lines) {
    this.#port = port;
    port.onData((bytes) => this.#take(bytes));
  }

  /**
   * Runs a command, which may have several lines, and gives its output and exit status.
   * @throws FwError `shell-timeout` (the command is interrupted), `guest-reset`, `bad-command`, or why the machine is gone
   */
  run(command: string, options: RunOptions = {}): Promise<ShellResult> {
    return this.#queued(async () => {
      const { timeoutMs = DEFAULT_TIMEOUT_MS } = options;
      await this.#ready(timeoutMs);
      await this.#upload(command);
      const id = newId();
      const start = `\n<${id}>\n`;
      const end = new RegExp(`\\n<${id}:(\\d+)>\\n`);
      const find = (text: string): { from: number; match: RegExpExecArray } | undefined => {
        const from = text.indexOf(start);
        const match = from < 0 ? null : end.exec(text.slice(from + start.length - 1));
        return match ? { from: from + start.length - 1, match } : undefined;
      };
      const text = await this.#exchanged(`!${id}\n`, (seen) => find(seen) !== undefined, timeoutMs, command);
      const found = find(text);
      if (!found) throw new Error('an exchange ended before its end');
      // Both frames begin with a line end of their own; the first one's last is the second one's first when there was no output.
      const output = text.slice(found.from + 1, found.from + found.match.index);
      return { output, status: Number(found.match[1]) };
    });
  }

  /**
   * The output of a command that must succeed, without the line ends at its end, as the shell's $(…) gives it.
   * @throws FwError `command-failed` with status and output, and as `run`
   */
  async text(command: string, options: RunOptions = {}): Promise<string> {
    const { output, status } = await this.run(command, options);
    if (status !== 0) {
      throw new FwError('command-failed', `'${command}' ended with status ${status}: ${output.trim()}`, {
        where: `${this.#port.name} of the guest`,
        expected: 'status 0',
      });
    }
    return output.replace(/\n+$/, '');
  }

  /** Starts a command and does not wait for it: for what ends the shell itself, such as `reboot`. */
  send(command: string, options: RunOptions = {}): Promise<void> {
    return this.#queued(async () => {
      await this.#ready(options.timeoutMs ?? DEFAULT_TIMEOUT_MS);
      await this.#upload(command);
      this.#state = 'busy';
      this.#port.write(`!${newId()}\n`);
    });
  }

  /** The guest was reset or is gone: what runs fails with this, what comes next waits for a new shell. */
  lost(reason: FwError): void {
    this.#state = 'no-shell';
    this.#port.skip();
    this.#exchange?.fail(reason);
  }

  #queued<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work);
    // Who called gets the error; the next command only waits for the end.
    this.#last = result.catch(() => undefined);
    return result;
  }

  async #ready(timeoutMs: number): Promise<void> {
    if (this.#state === 'ready') return;
    const deadline = performance.now() + timeoutMs;
    if (this.#state === 'busy') {
      this.#port.skip();
      this.#port.write(INTERRUPT);
    }
    for (;;) {
      await this.#prompt(deadline - performance.now(), timeoutMs);
      const id = newId();
      const answer = new RegExp(`<${id}:ready>(\r*)\n`);
      this.#crlf = false;
      const answered = await this.#exchanged(
        `${agent(id)}\n`,
        (text) => answer.test(text),
        AGENT_TIMEOUT_MS,
        'the agent',
      ).then(
        (text) => {
          this.#crlf = answer.exec(text)?.[1] !== '';
          return true;
        },
        (error: unknown) => {
          if (error instanceof FwError && error.code === 'shell-timeout') return false;
          throw error;
        },
      );
      if (!answered) continue;
      this.#state = 'ready';
      return;
    }
  }

  async #prompt(leftMs: number, timeoutMs: number): Promise<void> {
    try {
      await this.#port.waitFor(PROMPT, { partial: true, timeoutMs: Math.max(leftMs, 1) });
    } catch (error) {
      if (!(error instanceof FwError) || error.code !== 'console-timeout') throw error;
      throw new FwError('no-shell', `no shell prompt came within ${timeoutMs / 1000} s`, {
        where: `${this.#port.name} of the guest`,
        expected: "firmware that was built with console: 'shell' and has booted",
        remedy: 'Look at the console for what the guest is doing.',
        cause: error,
      });
    }
  }

  async #upload(command: string): Promise<void> {
    const bad = [...command].find(
      (char) => (char < ' ' && char !== '\n' && char !== '\t') || char === '\x7f',
    );
    if (bad) {
      throw new FwError('bad-command', `the command has the control character ${JSON.stringify(bad)}`, {
        where: command,
        expected: 'text, tabs and line ends; a terminal acts on anything else',
        remedy: 'Write it with printf in the command.',
      });
    }
    const lines = command.split('\n');
    for (const [index, line] of lines.entries()) {
      const pieces = line.match(new RegExp(`.{1,${MAX_INPUT_LINE}}`, 'gsu')) ?? [''];
      for (const [n, piece] of pieces.entries()) {
        const sign = n === pieces.length - 1 && index < lines.length - 1 ? '-' : '+';
        await this.#exchanged(
          `${sign}${piece}\n`,
          (text) => text.includes('<+>\n'),
          AGENT_TIMEOUT_MS,
          'a line of a command',
        );
      }
    }
  }

  /** Sends a text and collects what comes until `done` says so. */
  #exchanged(text: string, done: Exchange['done'], timeoutMs: number, what: string): Promise<string> {
    this.#received = '';
    this.#decoder = new StringDecoder('utf8');
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#state = 'busy';
        this.#exchange?.fail(this.#timeoutError(what, timeoutMs));
      }, timeoutMs);
      this.#exchange = {
        done,
        finish: () => {
          clearTimeout(timer);
          this.#exchange = undefined;
          resolve(this.#received);
        },
        fail: (error) => {
          clearTimeout(timer);
          this.#exchange = undefined;
          reject(error);
        },
      };
      this.#port.write(text);
    });
  }

  #take(bytes: Uint8Array): void {
    if (!this.#exchange) return;
    this.#received += this.#decoder.write(bytes);
    if (this.#crlf) this.#received = this.#received.replaceAll('\r\n', '\n');
    if (this.#exchange.done(this.#received)) this.#exchange.finish();
  }

  #timeoutError(what: string, timeoutMs: number): FwError {
    return new FwError('shell-timeout', `'${what}' did not end within ${timeoutMs / 1000} s`, {
      where: `${this.#port.name} of the guest`,
      expected: `an end; it had printed: ${this.#received.slice(-SHOWN_CHARS)}`,
      remedy: 'Give the command more time (timeoutMs), or look at why it hangs.',
    });
  }
}

function newId(): string {
  return randomBytes(6).toString('hex');
}
