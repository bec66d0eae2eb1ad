import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Duplex, PassThrough, type Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { Lines } from './lines.ts';

let folder: string;
let program: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hearth-attach-'));
  program = join(folder, 'attach.ts');
  const from = (name: string): string => JSON.stringify(join(import.meta.dirname, name));
  await writeFile(
    program,
    `import { attachConsole } from ${from('attach.ts')};
     import { Machine } from ${from('machine.ts')};
     import { tinyGuest } from ${from('tiny-guest.fixture.ts')};
     const machine = await Machine.start(await tinyGuest(${JSON.stringify(folder)}), []);
     // Keys of a hand of its own, for when nobody reads what it prints.
     process.on('SIGUSR2', () => machine.console.write('echo\\r\\n'));
     const killed = new AbortController();
     process.once('SIGTERM', () => killed.abort());
     const exit = await attachConsole(machine, {
       interactive: process.argv[2] !== '--headless',
       signal: killed.signal,
       format: (line) => '> ' + line,
     });
     console.error('exit', exit.reason, 'raw', process.stdin.isRaw);
    `,
  );
});
afterAll(() => rm(folder, { recursive: true }));

interface Session {
  screen: Lines;
  /** What goes to standard error; on a terminal that is the screen too. */
  messages: Lines;
  child: ChildProcessWithoutNullStreams;
  type(keys: string): void;
}

/** The program on a terminal of its own (made by script(1)), or with its streams as pipes. */
function session({ terminal, args = [] }: { terminal: boolean; args?: string[] }): Session {
  const command = [process.execPath, program, ...args];
  const child = terminal
    ? // The echo of the terminal would look like output of the guest; what the program sets is its own.
      spawn('script', ['-qefc', `stty -echo; ${command.join(' ')}; stty -a`, '/dev/null'])
    : spawn(command[0] ?? '', command.slice(1));
  onTestFinished(() => void child.kill('SIGKILL'));
  const lines = (name: string, readable: Readable): Lines => {
    const result = new Lines(name);
    result.attach(Duplex.from({ readable, writable: new PassThrough() }));
    return result;
  };
  const screen = lines('screen', child.stdout);
  const messages = lines('messages', child.stderr);
  return { screen, messages, child, type: (keys) => void child.stdin.write(keys) };
}

describe('a console on a terminal', () => {
  test('types what is typed, Ctrl-C included, and ends by Ctrl-A X with the terminal restored', async () => {
    const { screen, type } = session({ terminal: true });
    await screen.waitFor(/up/);
    type('abc\x03\r\n');
    await screen.waitFor(/abc/);
    type('\x01h');
    await screen.waitFor(/Ctrl-A X: end the machine/);
    type('\x01x');
    await screen.waitFor('exit stopped raw false');
    // What stty -a shows of a terminal that is not raw.
    await screen.waitFor(/ icanon/);
  });

  test('ends when the guest powers off', async () => {
    const { screen, type } = session({ terminal: true });
    await screen.waitFor(/up/);
    type('p');
    await screen.waitFor('exit guest-shutdown raw false');
  });
});

describe('a console without a terminal', () => {
  test('prints lines as it was told to, and ends when it is aborted', async () => {
    const { screen, messages, child } = session({ terminal: false, args: ['--headless'] });
    await screen.waitFor(/^> up$/);
    child.kill('SIGTERM');
    await messages.waitFor(/^exit stopped/);
    expect(await once(child, 'exit')).toEqual([0, null]);
  });

  test('ends when nobody reads it any more', async () => {
    const { screen, messages, child } = session({ terminal: false });
    await screen.waitFor(/^> up$/);
    child.stdout.destroy();
    child.kill('SIGUSR2');
    await messages.waitFor(/^exit stopped/);
    expect(await once(child, 'exit')).toEqual([0, null]);
  });
});
