import { chmodSync, rmSync } from 'node:fs';
import { createServer, type Server as Listener, type Socket } from 'node:net';
import { dirname } from 'node:path';
import { type ExitReason, Server } from '../../otp/index.ts';
import { closing } from '../../otp/remote/session.ts';
import { tooLong } from './control-path.ts';

export interface ControlOptions {
  path: string;
  /** What is said where it cannot be made, before why. */
  isOff: string;
  /** Others have files in its folder: the socket's own mode has to do, which it is made with under any sane umask. */
  sharedFolder?: boolean;
  /** Gets every connection, unread. */
  onConnection(socket: Socket): void;
  say(message: string): void;
}

/** People type; programs that ask in a loop must not use up the files of hearthd. */
const MOST_CONNECTIONS = 64;
/** A client that was refused has its answer long before. */
const REFUSED_MS = 5_000;

/**
 * hearthd's ear: for `remote` and `rpc` on a server, for SSH sessions on a device. Whoever can connect may do all that the
 * app may, so that only the user that runs it can: by the modes of the folder and the socket. Node does not tell who connects (SO_PEERCRED).
 */
export class ControlSocket extends Server {
  #listener: Listener | undefined;

  override async init({ path, isOff, sharedFolder, onConnection, say }: ControlOptions): Promise<void> {
    // Without it the app runs all the same: it is not worth an outage.
    const off = (why: string): void => say(`${isOff}: ${why}`);
    const long = tooLong(path);
    if (long !== undefined) return off(long);
    // Unread: the app reads from the first byte.
    const listener = createServer({ pauseOnConnect: true }, onConnection);
    listener.maxConnections = MOST_CONNECTIONS;
    try {
      // Before the socket is there: its own mode comes a moment after it.
      if (!sharedFolder) chmodSync(dirname(path), 0o700);
      // Of a hearthd that was killed. Two at a time there are not: bin/ sees to that.
      rmSync(path, { force: true });
      await listening(listener, path);
      chmodSync(path, 0o600);
    } catch (error) {
      listener.close();
      return off((error as Error).message);
    }
    listener.on('error', (error) => this.self.exit(error));
    this.#listener = listener;
  }

  override terminate(_reason: ExitReason): void {
    // Also removes the file. The sessions are the app's: they go on, or end with it.
    this.#listener?.close();
  }
}

function listening(listener: Listener, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    listener.once('error', reject);
    listener.listen(path, () => {
      listener.removeListener('error', reject);
      resolve();
    });
  });
}

/** Ends a session in the app's place. */
export function refuse(socket: Socket, message: string): void {
  socket.on('error', () => {});
  socket.setTimeout(REFUSED_MS, () => socket.destroy());
  // What it asked is read by nobody; unread, the client would see a reset instead of the answer.
  socket.resume();
  socket.end(closing(1, message));
}
