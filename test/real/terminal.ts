import { type ChildProcess, spawn } from 'node:child_process';
import { join } from 'node:path';
import { Duplex, PassThrough } from 'node:stream';
import { Lines } from '../../src/host/lines.ts';
import { CACHE } from './fw.ts';

const DOOR = join(import.meta.dirname, '..', '..', 'bin', 'fw.js');

export interface Terminal {
  screen: Lines;
  /** Everything that was written to the terminal so far, control characters included. */
  raw(): string;
  type(keys: string): void;
  child: ChildProcess;
}

export interface TerminalOptions {
  cwd?: string;
  env?: Record<string, string>;
  columns?: number;
}

/** Ctrl-C reaches the shell too, which shall tell how fw has ended. */
export const CARRY_ON = 'trap : INT;';

/**
 * A shell command line on a terminal of its own, made by script(1). `$FW` in it is the command as users start it: by the
 * Node on their PATH, which may have to start the pinned one, so that Ctrl-C reaches two processes.
 */
export function onTerminal(command: string, { cwd, env, columns = 80 }: TerminalOptions = {}): Terminal {
  const line = `stty cols ${columns} rows 24; ${command}`;
  const child = spawn('script', ['-qefc', line, '/dev/null'], {
    ...(cwd ? { cwd } : {}),
    env: { PATH: process.env.PATH, FW: `node ${DOOR}`, HEARTH_CACHE: CACHE, TERM: 'xterm', ...env },
  });
  let written = '';
  child.stdout.on('data', (bytes) => {
    written += bytes;
  });
  const screen = new Lines('terminal');
  screen.attach(Duplex.from({ readable: child.stdout, writable: new PassThrough() }));
  return { screen, raw: () => written, type: (keys) => void child.stdin.write(keys), child };
}
