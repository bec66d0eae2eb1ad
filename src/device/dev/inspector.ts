import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout } from 'node:timers/promises';
import { FwError } from '../../errors.ts';

/** Where Node's inspector listens when a signal has opened it: on the device itself, and nowhere else. */
export const INSPECTOR = { host: '127.0.0.1', port: 9229 } as const;

const OPENS_MS = 10_000;
const PAUSE_MS = 20;

export interface InspectorOptions {
  /** The app's process; the first call opens its inspector. */
  pid: number;
  port?: number;
  timeoutMs?: number;
  signal?(pid: number): void;
}

/**
 * A connection to the inspector of a process of Node, which is opened if need be. A process that was told to listen
 * elsewhere keeps to that.
 * @throws FwError `debug-no-inspector`
 */
export async function connectInspector({
  pid,
  port = INSPECTOR.port,
  timeoutMs = OPENS_MS,
  signal = (to) => process.kill(to, 'SIGUSR1'),
}: InspectorOptions): Promise<Socket> {
  const there = await tryConnect(port);
  if (there) return there;
  signal(pid);
  // Node says on the app's own output that it listens, and nowhere else.
  for (const deadline = performance.now() + timeoutMs; performance.now() < deadline; ) {
    const socket = await tryConnect(port);
    if (socket) return socket;
    await setTimeout(PAUSE_MS);
  }
  throw new FwError('debug-no-inspector', `the app's process does not open its inspector`, {
    where: `process ${pid}, ${INSPECTOR.host}:${port}`,
    expected: 'what Node does at SIGUSR1',
    remedy:
      'Does the app listen to SIGUSR1 itself, or block its event loop? Restart it, or reboot: fw reboot HOST.',
  });
}

async function tryConnect(port: number): Promise<Socket | undefined> {
  const socket = connect({ host: INSPECTOR.host, port });
  try {
    await once(socket, 'connect');
    return socket;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ECONNREFUSED') return undefined;
    throw error;
  }
}
