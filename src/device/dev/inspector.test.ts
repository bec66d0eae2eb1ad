import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { connectInspector } from './inspector.ts';

let app: ChildProcess | undefined;
afterEach(async () => {
  if (!app || app.exitCode !== null || app.signalCode !== null) return;
  const gone = once(app, 'exit');
  app.kill('SIGKILL');
  await gone;
});

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

/** A process of Node that has got to its own code. */
async function start(code: string, port: number): Promise<number> {
  app = spawn(process.execPath, [`--inspect-port=127.0.0.1:${port}`, '-e', code], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  if (app.stdout) await once(app.stdout, 'data');
  return app.pid ?? 0;
}

test("Node's own inspector, opened by the first and there for the next", async () => {
  const port = await freePort();
  const pid = await start("console.log('up'); setInterval(() => {}, 1e6)", port);
  const signals: number[] = [];
  const signal = (to: number): void => {
    signals.push(to);
    process.kill(to, 'SIGUSR1');
  };
  for (let n = 0; n < 2; n++) {
    const socket = await connectInspector({ pid, port, signal, timeoutMs: 60_000 });
    socket.write('GET /json/version HTTP/1.0\r\nHost: localhost\r\n\r\n');
    const [answer] = await once(socket.setEncoding('utf8'), 'data');
    socket.destroy();
    expect(answer).toContain('"Protocol-Version"');
  }
  expect(signals).toEqual([pid]);
});

test('an app that keeps the signal to itself is told of', async () => {
  const port = await freePort();
  const pid = await start(
    "process.on('SIGUSR1', () => {}); console.log('up'); setInterval(() => {}, 1e6)",
    port,
  );
  await expect(connectInspector({ pid, port, timeoutMs: 300 })).rejects.toMatchObject({
    code: 'debug-no-inspector',
    where: expect.stringContaining(String(pid)),
  });
});
