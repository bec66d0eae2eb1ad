import { once } from 'node:events';
import { get, type IncomingMessage } from 'node:http';
import { createServer, type Server, type Socket } from 'node:net';
import { json } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { FwError } from '../errors.ts';
import { ask, failureOf } from '../links/device.ts';
import type { DeviceLink } from '../links/link.ts';

export interface DebugOptions {
  /** Here, on the loopback; 0 is any. */
  port: number;
  mayAsk?: boolean;
  /** Ends it. */
  signal: AbortSignal;
}

export interface DebugEvents {
  onListening(about: DebugAddress): void;
  /** A debugger's connection has failed; the next one may not. */
  onFailure(error: FwError): void;
}

export interface DebugAddress {
  host: string;
  port: number;
  /** For the address bar of Chrome. */
  devtools: string;
}

const HOST = '127.0.0.1';
const DEBUG = ['debug'];

/**
 * Leads debuggers of this computer to the inspector of a device's app: a session for each of their connections.
 * @throws FwError as the device refuses it (`dev-refused`, `debug-no-app`), `port-in-use`
 */
export async function debugTunnel(
  link: DeviceLink,
  { port, mayAsk = false, signal }: DebugOptions,
  { onListening, onFailure }: DebugEvents,
): Promise<void> {
  // What does not work at all is told now, and a passphrase is asked for once at a time.
  await ask(link, [...DEBUG, '--check', '--json'], { mayAsk, signal });
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    join(link, socket).catch((error: unknown) => {
      if (!(error instanceof FwError)) throw error;
      if (!signal.aborted) onFailure(error);
    });
  });
  try {
    const bound = await listen(server, port);
    onListening({ host: HOST, port: bound, devtools: await devtoolsUrl(bound, signal) });
    if (!signal.aborted) await once(signal, 'abort');
  } finally {
    server.close();
    for (const socket of sockets) socket.destroy();
  }
}

/** Until either side has had enough. @throws FwError as the device, or the link to it, has failed */
async function join(link: DeviceLink, socket: Socket): Promise<void> {
  const session = link.open(DEBUG);
  const outwards = pipeline(socket, async (source: AsyncIterable<Uint8Array>) => {
    for await (const bytes of source) await session.write(bytes);
  });
  const inwards = pipeline(session.incoming, socket);
  // How each of them ends says nothing: a debugger breaks off, and so does a program that is started anew.
  await Promise.race([outwards, inwards]).catch(() => {});
  try {
    if (socket.readableEnded || socket.destroyed) return;
    const answer = await session.ended;
    if (answer.status !== 0) throw failureOf(link.name, DEBUG, answer);
  } finally {
    socket.destroy();
    session.close();
    await Promise.allSettled([outwards, inwards]);
  }
}

async function listen(server: Server, port: number): Promise<number> {
  server.listen(port, HOST);
  try {
    await once(server, 'listening');
  } catch (cause) {
    throw new FwError(
      'port-in-use',
      `port ${port} of this computer cannot be used: ${(cause as Error).message}`,
      {
        where: `${HOST}:${port}`,
        remedy: 'Choose another: --port 0 takes any that is free.',
        cause,
      },
    );
  }
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('a server on TCP has an address');
  return address.port;
}

/** Node's inspector tells it, with the address by which it was asked. */
async function devtoolsUrl(port: number, signal: AbortSignal): Promise<string> {
  const request = get({ host: HOST, port, path: '/json/list', agent: false, signal });
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  const [target] = (await json(response)) as { devtoolsFrontendUrl?: string }[];
  return target?.devtoolsFrontendUrl ?? `http://${HOST}:${port}/json/list`;
}
