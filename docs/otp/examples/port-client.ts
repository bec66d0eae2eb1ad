import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { Client, child, named, startSupervisor, supervisor } from 'hearthfw';

const server = createServer((socket) => socket.pipe(socket)).listen(0, '127.0.0.1');
await once(server, 'listening');
const address = server.address() as AddressInfo;

/** Here a socket; a client of npm is no different. */
class Echo extends Client<Socket> {
  protected override get times() {
    return { connectMs: 2_000, healthMs: 10_000 };
  }

  protected override async connect(signal: AbortSignal): Promise<Socket> {
    const socket = connect(address.port, address.address);
    await once(socket, 'connect', { signal });
    socket.on('error', (error) => this.failed(error));
    return socket;
  }

  protected override healthy(socket: Socket): boolean {
    return socket.writable;
  }

  protected override disconnect(socket: Socket): void {
    socket.destroy();
  }

  echo(text: string) {
    return this.use(async (socket) => {
      socket.write(text);
      const [answer] = await once(socket, 'data');
      return String(answer);
    });
  }
}

const top = await startSupervisor(supervisor({ children: [child(Echo, { name: 'echo' })] }));
console.log(await named<Echo>('echo').call('echo', 'hello')); // hello
await top.stop();
server.close();
