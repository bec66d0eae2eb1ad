import { createServer, type Server } from 'node:http';
import { availableParallelism, freemem, totalmem, uptime } from 'node:os';
import { config, device, logger, onStop, run } from 'hearthfw';
import { type Facts, page } from './page.ts';

interface Settings {
  /** TCP port of the page. */
  port?: number;
  greeting?: string;
}

function facts(): Facts {
  return {
    product: device.product,
    version: device.version,
    target: device.target,
    slot: device.slot,
    uuid: device.uuid,
    node: process.version,
    uptime: uptime(),
    memoryTotal: totalmem(),
    memoryAvailable: process.availableMemory() || freemem(),
  };
}

function createApp(greeting: string): Server {
  return createServer((request, response) => {
    // Not by `new URL`, which throws at what a stranger may send, such as `GET //`.
    const [pathname] = (request.url ?? '/').split('?', 1);
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.writeHead(405, { allow: 'GET, HEAD' }).end();
    } else if (pathname === '/') {
      response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' }).end(page(greeting, facts()));
    } else if (pathname === '/health') {
      response
        .writeHead(200, { 'content-type': 'application/json' })
        .end(`${JSON.stringify({ ok: true, pid: process.pid, cpus: availableParallelism(), ...facts() })}\n`);
    } else {
      response.writeHead(404, { 'content-type': 'text/plain' }).end('There is / and /health.\n');
    }
  });
}

run({
  async start() {
    const { port = 8080, greeting = 'Hello from Hearth' } = config<Settings>();
    const server = createApp(greeting);
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, resolve));
    onStop(
      () =>
        new Promise<void>((resolve) => {
          server.close(() => resolve());
          server.closeAllConnections();
        }),
    );
    const address = server.address();
    logger.info('serving', { port: typeof address === 'object' ? address?.port : address });
  },
});
