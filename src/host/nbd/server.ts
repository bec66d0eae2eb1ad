import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { ByteReader } from './byte-reader.ts';
import { shakeHands } from './handshake.ts';
import type { Store } from './store.ts';
import { type Client, serveRequests } from './transmission.ts';

interface Connection extends Client {
  socket: Socket;
}

/** An NBD server of one export, which has no name, on a Unix socket. */
export class NbdServer implements AsyncDisposable {
  /** The socket's path, at most 107 bytes. */
  readonly socket: string;
  readonly #server: Server;
  readonly #connections = new Set<Connection>();

  private constructor(server: Server, socket: string) {
    this.#server = server;
    this.socket = socket;
  }

  /** @param complain told what a client did that ended its connection: such a client is broken */
  static async listen(store: Store, socket: string, complain: (error: unknown) => void): Promise<NbdServer> {
    const server = createServer();
    const nbd = new NbdServer(server, socket);
    server.on('connection', (client) => void nbd.#serve(client, store).catch(complain));
    server.listen(socket);
    await once(server, 'listening');
    return nbd;
  }

  /**
   * From now on nothing that the clients of now ask is done or answered, as if the disk had no power any more. It has it again for
   * who connects after this.
   * @returns whether it had power for anybody
   */
  cutPower(): boolean {
    const powered = [...this.#connections].filter(({ hasPower }) => hasPower);
    for (const connection of powered) connection.hasPower = false;
    return powered.length > 0;
  }

  /** From now on a flush of the clients of now is answered, and not done. */
  leave(): void {
    for (const connection of this.#connections) connection.leaves = true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const { socket } of this.#connections) socket.destroy();
    await closed;
  }

  async #serve(socket: Socket, store: Store): Promise<void> {
    const connection = { socket, hasPower: true, leaves: false };
    this.#connections.add(connection);
    // A client that is killed resets its connection; that it has gone is seen where it is read from.
    socket.on('error', () => socket.destroy());
    socket.on('close', () => this.#connections.delete(connection));
    try {
      const reader = new ByteReader(socket);
      if (await shakeHands(socket, reader, store.size))
        await serveRequests(socket, reader, store, connection);
    } catch (error) {
      socket.destroy();
      throw error;
    }
    // Whose disk has no power waits for its answer until it dies itself.
    if (connection.hasPower) socket.end();
    else socket.resume();
  }
}
