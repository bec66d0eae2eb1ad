/** heart attach between a client's streams or terminal and a server of hearthd's own protocol, as hearthd has it. */
import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { type Call, serveSession, type Verb } from '../../../src/otp/remote/session.ts';
import { onTerminal } from '../../../test/real/terminal.ts';
import { possible, read } from './namespace.ts';
import { buildSanitizedHeart, heart as prebuilt, run, scratch, start, until } from './programs.ts';

const folder = mkdtempSync(join(tmpdir(), 'heart-test-'));
let heart = '';
beforeAll(() => {
  heart = buildSanitizedHeart(folder);
});
afterAll(() => rmSync(folder, { recursive: true }));

const UNAVAILABLE = 69;

/** A server that serves `ssh` as hearthd does; it ends with the test. Returns the path of its socket. */
async function serve(ssh: Verb, path = join(scratch(), 'control.sock')): Promise<string> {
  return listen(
    createServer((socket) => serveSession(socket, { ssh })),
    path,
  );
}

async function listen(server: Server, path: string): Promise<string> {
  const sockets = new Set<{ destroy(): void }>();
  server.on('connection', (socket) => sockets.add(socket));
  server.listen(path);
  await once(server, 'listening');
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return path;
}

const attach = (path: string, command = '', program = heart) =>
  start(program, ['attach', path], { SSH_ORIGINAL_COMMAND: command });

async function textOf(input: Readable): Promise<string> {
  let text = '';
  for await (const bytes of input) text += bytes;
  return text;
}

/** Settles when the verb is called, with its call; the session lasts until `end` is called. */
function held() {
  let begin: (call: Call) => void = () => {};
  let end: (status: number) => void = () => {};
  const called = new Promise<Call>((resolve) => {
    begin = resolve;
  });
  const status = new Promise<number>((resolve) => {
    end = resolve;
  });
  const verb: Verb = (call) => {
    begin(call);
    return status;
  };
  return { verb, called, end };
}

describe('without a terminal', () => {
  test('the command goes up as it was written; output, errors and status come back', async () => {
    let seen: Pick<Call, 'argv' | 'terminal'> | undefined;
    const path = await serve(async ({ argv, terminal, output, errorOutput }) => {
      seen = { argv, terminal };
      output.write('out ');
      errorOutput.write('err');
      output.write('again');
      return 42;
    });
    const { ended } = attach(path, `status --json 'ä b' "c"`);
    expect(await ended).toEqual({ status: 42, signal: null, stdout: 'out again', stderr: 'err' });
    expect(seen).toEqual({ argv: [`status --json 'ä b' "c"`], terminal: undefined });
  });

  test('a command is there, and empty, when the session has none', async () => {
    const path = await serve(async ({ argv }) => (argv.length === 1 && argv[0] === '' ? 0 : 1));
    expect((await attach(path).ended).status).toBe(0);
    expect(run(heart, ['attach', path], { env: { SSH_ORIGINAL_COMMAND: 'x'.repeat(70_000) } })).toMatchObject(
      { status: UNAVAILABLE, stderr: 'heart attach: the command is too long\n' },
    );
  });

  test('the end of the input is told, and the output goes on after it', async () => {
    const path = await serve(async ({ input, output }) => {
      const text = await textOf(input);
      for (let i = 0; i < 3; i++) await new Promise((done) => output.write(`${text}${i} `, done));
      return 0;
    });
    const { child, ended } = attach(path, 'cat');
    child.stdin.end('in');
    expect((await ended).stdout).toBe('in0 in1 in2 ');
  });

  test('megabytes go up and down at once, whole', async () => {
    const up = randomBytes(8 << 20);
    const down = randomBytes(12 << 20);
    const sha = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
    const path = await serve(async ({ input, output, errorOutput }) => {
      const hash = createHash('sha256');
      output.write(down);
      for await (const bytes of input) hash.update(bytes);
      errorOutput.write(hash.digest('hex'));
      return 0;
    });
    const { child, ended } = attach(path, 'update');
    child.stdin.end(up);
    const { status, stdout, stderr } = await ended;
    expect({ status, stderr }).toEqual({ status: 0, stderr: sha(up) });
    expect(sha(Buffer.from(stdout, 'latin1'))).toBe(sha(down));
  });

  test('who does not read holds the sender up, and nobody’s memory grows', async () => {
    const down = randomBytes(8 << 20);
    let written = false;
    const path = await serve(async ({ output }) => {
      await new Promise((done) => output.write(down, done));
      written = true;
      return 0;
    });
    const { child, stdout, ended } = attach(path, 'logs', prebuilt);
    child.stdout.pause();
    const kilobytes = () => Number(/^VmData:\s+(\d+)/m.exec(read(`/proc/${child.pid}/status`))?.[1]);
    // Its own clock: as long as it stands at the full pipe it uses no time at all.
    const ticks = () => read(`/proc/${child.pid}/stat`).split(' ').slice(13, 15).join(' ');
    const before = await until('it runs', kilobytes);
    const still = async () => {
      const was = ticks();
      await new Promise((done) => setTimeout(done, 300));
      return ticks() === was;
    };
    for (let calm = 0; calm < 2; ) calm = (await still()) ? calm + 1 : 0;
    expect({ written, kilobytes: kilobytes() }).toEqual({ written: false, kilobytes: before });
    child.stdout.resume();
    await ended;
    expect(Buffer.compare(Buffer.from(stdout(), 'latin1'), down)).toBe(0);
  });

  test('an input that nobody takes waits in the client', async () => {
    const { verb, called, end } = held();
    const { child, ended } = attach(await serve(verb), 'sleep');
    const { input } = await called;
    const all = randomBytes(4 << 20);
    child.stdin.end(all);
    await once(input, 'readable');
    expect(child.stdin.writableLength).toBeGreaterThan(0);
    const hash = createHash('sha256');
    for await (const bytes of input) hash.update(bytes);
    expect(hash.digest('hex')).toBe(createHash('sha256').update(all).digest('hex'));
    end(0);
    expect((await ended).status).toBe(0);
  });

  test('a hearthd that dies in the middle: what it said is there, then a line and a status of its own', async () => {
    const path = join(scratch(), 'control.sock');
    await listen(
      createServer((socket) => {
        const session = { ssh: held().verb };
        serveSession(socket, session);
        setImmediate(() =>
          socket.write(Buffer.from('\x11\0\0\0\x04half\x11\0\0\0\x09w', 'latin1'), () => socket.destroy()),
        );
      }),
      path,
    );
    expect(await attach(path, 'logs').ended).toEqual({
      status: UNAVAILABLE,
      signal: null,
      stdout: 'halfw',
      stderr: 'heart attach: the session has broken off: hearthd is gone\n',
    });
  });

  test('what is not of the protocol ends it', async () => {
    const server = createServer((socket) => socket.end('SSH-2.0-what'));
    const done = await attach(await listen(server, join(scratch(), 'control.sock'))).ended;
    expect(done).toMatchObject({
      status: UNAVAILABLE,
      stderr: 'heart attach: what hearthd said is not of this protocol\n',
    });
  });

  test.each([
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const)('%s ends it, and hearthd hears of it', async (signal, status) => {
    const { verb, called } = held();
    const { child, ended } = attach(await serve(verb), 'logs');
    const { gone } = await called;
    child.kill(signal);
    expect((await ended).status).toBe(status);
    await until('the session is over', () => gone.aborted);
  });

  test('a client that reads no more ends it, although nothing is said', async () => {
    const { verb, called } = held();
    const { child, ended } = attach(await serve(verb), 'logs');
    const { gone } = await called;
    child.stdout.destroy();
    await ended;
    await until('the session is over', () => gone.aborted);
  });
});

describe('while hearthd does not answer', () => {
  test('a socket that comes late, and one that is closed at once, are tried again, and no input is lost', async () => {
    const path = join(scratch(), 'control.sock');
    const { child, ended } = attach(path, 'status');
    child.stdin.end('input');
    let connections = 0;
    const echo: Verb = async ({ input, output }) => {
      output.write(await textOf(input));
      return 7;
    };
    await listen(
      createServer((socket) => {
        if (connections++ < 5) socket.destroy();
        else serveSession(socket, { ssh: echo });
      }),
      path,
    );
    expect(await ended).toEqual({ status: 7, signal: null, stdout: 'input', stderr: '' });
    expect(connections).toBe(6);
  });

  test('nobody there, or nobody who says a word: a line and a status after 5 s', async () => {
    const silent = await listen(createServer(), join(scratch(), 'control.sock'));
    const began = performance.now();
    const sessions = [silent, join(scratch(), 'none')].map((path) => attach(path, 'status').ended);
    for (const done of await Promise.all(sessions))
      expect(done).toMatchObject({ status: UNAVAILABLE, stderr: 'heart attach: hearthd does not answer\n' });
    expect(performance.now() - began).toBeGreaterThan(4900);
  });
});

describe('on a terminal', () => {
  /** Prints the terminal's name and modes, runs heart, and prints the status and the modes again. */
  function terminal(path: string, before = '') {
    const line = `echo "tty $(tty)"; echo "before $(stty -g)"; ${before} ${heart} attach ${path}; echo "status $?"; echo "after $(stty -g)"`;
    const t = onTerminal(line, { columns: 91 });
    onTestFinished(() => void t.child.kill('SIGKILL'));
    const word = (name: string) => new RegExp(`${name} (\\S+)\\r`).exec(t.raw())?.[1];
    return { ...t, word: (name: string) => until(name, () => word(name)) };
  }

  test('its kind and size go up, then each new size; keys arrive as they are typed, and it is restored', async () => {
    const { verb, called, end } = held();
    const t = terminal(await serve(verb));
    const { terminal: asked, input, output, argv } = await called;
    expect({ asked, argv }).toEqual({ asked: { type: 'xterm', columns: 91, rows: 24 }, argv: [''] });
    output.write('prompt\nready> ');
    await until('the prompt', () => t.raw().includes('prompt\r\nready> '));
    t.type('a\x03\x04\r');
    let keys = '';
    input.on('data', (bytes) => {
      keys += bytes;
    });
    await until('the keys', () => keys === 'a\x03\x04\r');
    expect(t.raw()).not.toContain('ready> a');
    const resized = once(output, 'resize');
    execFileSync('stty', ['-F', await t.word('tty'), 'cols', '132', 'rows', '50']);
    await resized;
    expect({ columns: output.columns, rows: output.rows }).toEqual({ columns: 132, rows: 50 });
    end(3);
    expect(await t.word('status')).toBe('3');
    expect(await t.word('after')).toBe(await t.word('before'));
  });

  test('it is restored when hearthd dies, and when a signal ends the session', async () => {
    const path = join(scratch(), 'control.sock');
    let last: { destroy(): void } | undefined;
    const sessions: Call[] = [];
    const ssh: Verb = (call) => {
      sessions.push(call);
      return new Promise(() => {});
    };
    await listen(
      createServer((socket) => {
        last = socket;
        serveSession(socket, { ssh });
      }),
      path,
    );
    const broken = terminal(path);
    await until('a session', () => sessions.length === 1);
    last?.destroy();
    expect(await broken.word('status')).toBe('69');
    expect(await broken.word('after')).toBe(await broken.word('before'));
    const pidFile = join(scratch(), 'pid');
    const ended = terminal(path, `sh -c 'echo $$ > ${pidFile}; exec "$0" "$@"'`);
    await until('another session', () => sessions.length === 2);
    process.kill(Number(read(pidFile)), 'SIGTERM');
    expect(await ended.word('status')).toBe('143');
    expect(await ended.word('after')).toBe(await ended.word('before'));
  });
});

describe.skipIf(!possible)('with a root of its own', () => {
  /** A system like a device's: the host's /usr with what only devices have. Runs a command line in it. */
  function system(line: string): string {
    const [files, root] = [scratch('/dev/shm'), scratch()];
    const program = (path: string, text: string) => {
      mkdirSync(join(files, path, '..'), { recursive: true });
      writeFileSync(join(files, path), text, { mode: 0o755 });
    };
    program('bin/busybox', '#!/usr/bin/sh\necho "as $*"\nread line; echo "got $line"\n');
    program(
      'lib/openssh/sftp-server',
      '#!/usr/bin/bash\necho "$*"; cat; cd /; echo *; echo data/*; echo etc/*; : > x || : > data/new\n',
    );
    const setup = `set -e; mount -t tmpfs root ${root}; cd ${root}
      mkdir -p usr data dev proc tmp etc run; ln -s usr/bin bin; ln -s usr/lib lib; ln -s usr/lib64 lib64
      mount -t overlay usr -o lowerdir=${files}:/usr usr
      mount --rbind /dev dev; mount -t proc proc proc; mount -t tmpfs tmp tmp; mount -t tmpfs data data
      cp ${heart} tmp/heart; echo secret > etc/shadow; echo mine > data/mine
      exec chroot . /bin/bash -c '${line}'`;
    const file = join(files, 'setup.sh');
    writeFileSync(file, setup);
    return `unshare --mount --propagation private bash ${file}`;
  }

  test('a terminal gets a plain shell when hearthd does not answer, with what was typed before', async () => {
    const t = onTerminal(system('/tmp/heart attach /run/none; echo "status $?"'));
    onTestFinished(() => void t.child.kill('SIGKILL'));
    t.type('early\r');
    await until('the shell has ended', () => t.raw().includes('status 0'));
    expect(t.raw()).toContain(
      'hearthd does not answer: this is a plain shell of the system.\r\nas -l\r\ngot early\r\n',
    );
  });

  test.each(['/usr/lib/sftp-server', '/usr/lib/openssh/sftp-server'])(
    '%s sees /data, and can write nowhere else',
    (command) => {
      const line = system(`SSH_ORIGINAL_COMMAND=${command} /tmp/heart attach && ls /data /etc`);
      const { status, stdout, stderr } = run('bash', ['-c', line], { input: Buffer.from('bytes\n') });
      expect({ status, stderr }).toEqual({
        status: 0,
        stderr: expect.stringMatching(/^.*x: Read-only file system\n$/),
      });
      expect(stdout).toBe(
        '-d /data\nbytes\ndata dev etc lib lib64 usr\ndata/mine\netc/passwd\n/data:\nmine\nnew\n\n/etc:\nshadow\n',
      );
    },
  );
});

test('scp’s old protocol is refused in words', () => {
  const { status, stderr } = run(heart, ['attach'], { env: { SSH_ORIGINAL_COMMAND: 'scp -r -t /etc' } });
  expect({ status, stderr }).toEqual({ status: 1, stderr: expect.stringMatching(/sftp.*OpenSSH 9/) });
});
