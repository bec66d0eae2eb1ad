import { once } from 'node:events';
import type { ReadStream, WriteStream } from 'node:tty';
import { EscapeKeys } from './escape-keys.ts';
import type { Lines } from './lines.ts';
import type { MachineExit } from './machine.ts';

/** What of a machine an attached console needs. */
export interface Attachable {
  readonly console: Lines;
  readonly exited: Promise<MachineExit>;
  stop(): Promise<MachineExit>;
}

export interface AttachOptions {
  /** Also type; needs a terminal at both ends, otherwise lines are printed. Default true. */
  interactive?: boolean;
  /** Ends the machine, in order. */
  signal?: AbortSignal;
  /** How a line is printed where lines are; default as it is. */
  format?: (line: string) => string;
}

const HELP = '\r\n[Ctrl-A X: end the machine · Ctrl-A Ctrl-A: send Ctrl-A · Ctrl-A H: this]\r\n';
/** Colours off, cursor shown: boot menus may have left them otherwise. */
const RESET_TERMINAL = '\x1b[0m\x1b[?25h';

/**
 * Shows a machine's console on this process's terminal until the machine is off, and types what is typed. Ctrl-A X ends
 * it; the terminal is restored in every case. Without a terminal, or not interactive, it prints the console's lines as
 * plain text.
 */
export async function attachConsole(machine: Attachable, options: AttachOptions = {}): Promise<MachineExit> {
  const { stdin, stdout } = process;
  const { interactive = true, signal, format = (line) => line } = options;
  const stop = (): void => void machine.stop();
  // Whoever reads our output has left: there is nobody to run the machine for.
  stdout.on('error', stop);
  signal?.addEventListener('abort', stop);
  if (signal?.aborted) stop();
  try {
    if (interactive && stdin.isTTY && stdout.isTTY) await attachTerminal(machine, stdin, stdout);
    else await printLines(machine, stdout, format);
    return await machine.exited;
  } finally {
    signal?.removeEventListener('abort', stop);
    stdout.off('error', stop);
  }
}

async function attachTerminal(machine: Attachable, stdin: ReadStream, stdout: WriteStream): Promise<void> {
  const keys = new EscapeKeys();
  const onInput = (input: Uint8Array): void => {
    const { bytes, command } = keys.take(input);
    if (bytes.length > 0) machine.console.write(bytes);
    if (command === 'quit') void machine.stop();
    if (command === 'help') stdout.write(HELP);
  };
  const restore = (): void => void stdin.setRawMode(false);
  // What came before we were here; a boot loader's colours in it are of no use any more.
  stdout.write(machine.console.transcript.replaceAll('\n', '\r\n'));
  const detach = machine.console.onData((bytes) => stdout.write(bytes));
  process.once('exit', restore);
  stdin.setRawMode(true);
  stdin.on('data', onInput);
  try {
    await machine.exited;
  } finally {
    detach();
    stdin.off('data', onInput);
    stdin.pause();
    restore();
    process.off('exit', restore);
    stdout.write(`${RESET_TERMINAL}\r\n`);
  }
}

async function printLines(
  machine: Attachable,
  stdout: NodeJS.WriteStream,
  format: (line: string) => string,
): Promise<void> {
  for await (const line of machine.console) {
    if (!stdout.writable) return;
    // A reader that is slow must not fill our memory; one that leaves ends the machine, and with it the wait.
    if (stdout.write(`${format(line)}\n`)) continue;
    const drained = once(stdout, 'drain').catch(() => undefined);
    await Promise.race([drained, machine.exited]);
  }
}
