import { once } from 'node:events';
import { connect, createServer, type Server as NetServer, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { processTable } from '../process/process-table.ts';
import { onReport } from '../process/reports.ts';
import { named } from '../server/ref.ts';
import { start } from '../server/start.ts';
import { child } from '../supervisor/child-spec.ts';
import { startSupervisor, supervisor } from '../supervisor/supervisor.ts';
import { Client, type ClientTimes } from './client.ts';

/** A real server that answers each chunk; 'mute' makes it silent. */
let server: NetServer;
let port: number;
let sockets: Socket[];
let mute: boolean;
beforeEach(async () => {
  sockets = [];
  mute = false;
  server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => {});
    socket.on('data', (bytes) => {
      if (!mute) socket.write(bytes);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  port = typeof address === 'object' ? (address?.port ?? 0) : 0;
});
afterEach(async () => {
  for (const process of processTable.values()) process.kill('killed');
  for (const socket of sockets) socket.destroy();
  server.close();
  await once(server, 'close');
});
const open = () => sockets.filter(({ closed }) => !closed).length;

class Echo extends Client<Socket> {
  #port = 0;
  #times: Partial<ClientTimes> = {};
  protected override get times(): Partial<ClientTimes> {
    return this.#times;
  }
  override async init(port: number, times: Partial<ClientTimes> = {}): Promise<void> {
    this.#port = port;
    this.#times = times;
    await super.init();
  }
  protected override async connect(signal: AbortSignal): Promise<Socket> {
    const socket = connect(this.#port, '127.0.0.1');
    await once(socket, 'connect', { signal });
    socket.on('error', (error) => this.failed(error));
    return socket;
  }
  protected override async healthy(socket: Socket): Promise<boolean> {
    socket.write('?');
    return String(await once(socket, 'data')) === '?';
  }
  protected override disconnect(socket: Socket): void {
    socket.destroy();
  }
  echo(text: string) {
    return this.use(async (socket) => {
      socket.write(text);
      return String(await once(socket, 'data'));
    });
  }
  refuse() {
    return this.use(() => Promise.reject(new Error('the server said no')));
  }
  async hang(): Promise<void> {
    await once(this.client, 'never');
  }
  fail(): void {
    this.client.destroy(new Error('broken pipe'));
  }
}

test('is there when its client is; a failure in use is the caller’s', async () => {
  const echo = await start(Echo, { args: [port] });
  expect(await echo.call('echo', 'hello')).toBe('hello');
  await expect(echo.call('refuse')).rejects.toThrow('the server said no');
  expect(await echo.call('echo', 'again')).toBe('again');
  echo.exit('shutdown');
  expect(await echo.ended()).toBe('shutdown');
  await vi.waitFor(() => expect(open()).toBe(0), 10_000);
});

test('killed, it disconnects all the same', async () => {
  const echo = await start(Echo, { args: [port] });
  await echo.call('echo', 'x');
  echo.exit('kill');
  await vi.waitFor(() => expect(open()).toBe(0), 10_000);
});

describe('a start', () => {
  test('fails as connect does', async () => {
    await expect(start(Echo, { args: [1] })).rejects.toMatchObject({ reason: { code: 'ECONNREFUSED' } });
  });

  test('has a time-out, and what connects later is disconnected', async () => {
    let late: ((value: string) => void) | undefined;
    const ended: string[] = [];
    class Slow extends Client<string> {
      protected override get times() {
        return { connectMs: 10 };
      }
      protected override connect(): Promise<string> {
        return new Promise((resolve) => {
          late = resolve;
        });
      }
      protected override disconnect(client: string): void {
        ended.push(client);
      }
    }
    await expect(start(Slow)).rejects.toMatchObject({ reason: { code: 'connect-timeout' } });
    late?.('too late');
    await vi.waitFor(() => expect(ended).toEqual(['too late']), 10_000);
  });
});

describe('health', () => {
  test('a client that stays well stays', async () => {
    const echo = await start(Echo, { args: [port, { healthMs: 2 }] });
    const seen = vi.waitFor(() => expect(sockets[0]?.bytesRead).toBeGreaterThan(5), { timeout: 10_000 });
    await seen;
    expect(echo.alive).toBe(true);
  });

  test('a client that does not answer ends it, though a handler hangs in it', async () => {
    const times = { healthMs: 5, healthyWithinMs: 20, disconnectMs: 10 };
    const echo = await start(Echo, { args: [port, times] });
    mute = true;
    const hanging = echo.call('hang').catch((error: unknown) => error);
    expect(await echo.ended()).toMatchObject({
      code: 'unhealthy',
      message: expect.stringContaining('20 ms'),
    });
    expect(await hanging).toMatchObject({ reason: { code: 'unhealthy' } });
    await vi.waitFor(() => expect(open()).toBe(0), 10_000);
  });

  test('its supervisor connects anew', async () => {
    const top = await startSupervisor(
      supervisor({ children: [child(Echo, { args: [port], name: 'echo' })] }),
    );
    const echo = named<Echo>('echo');
    const again = new Promise<void>((resolve) => {
      const stop = onReport(({ kind, process }) => {
        if (kind !== 'progress' || process.name !== 'echo') return;
        stop();
        resolve();
      });
    });
    const ended = echo.ended();
    echo.cast('fail');
    expect(await ended).toMatchObject({ message: 'broken pipe' });
    await again;
    expect(await echo.call('echo', 'back')).toBe('back');
    expect(sockets).toHaveLength(2);
    await top.stop();
  });

  test('one failure in between is allowed where more than one is asked for', async () => {
    let looks = 0;
    class Flaky extends Client<string> {
      protected override get times() {
        return { healthMs: 1, failures: 2 };
      }
      protected override connect(): string {
        return 'client';
      }
      protected override healthy(): boolean {
        return ++looks > 6 ? false : looks % 2 === 0;
      }
    }
    const flaky = await start(Flaky);
    expect(await flaky.ended()).toMatchObject({ code: 'unhealthy' });
    expect(looks).toBe(8);
  });
});
