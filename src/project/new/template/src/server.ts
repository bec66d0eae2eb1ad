import { createServer, type Server } from 'node:http';
import { device } from 'hearthfw';

/** The app's HTTP server. It does not listen yet. */
export function createApp(greeting: string): Server {
  return createServer((request, response) => {
    const { method = '', url = '/' } = request;
    const [path] = url.split('?', 1);
    if (method !== 'GET' && method !== 'HEAD') {
      response.writeHead(405, { allow: 'GET, HEAD' }).end();
    } else if (path === '/') {
      response.writeHead(200, { 'content-type': 'text/plain; charset=utf-8' });
      response.end(`${greeting} from ${device.product} ${device.version} on ${device.target}\n`);
    } else if (path === '/health') {
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end(`${JSON.stringify({ ok: true, uptime: process.uptime() })}\n`);
    } else {
      response.writeHead(404, { 'content-type': 'text/plain' }).end('There is / and /health.\n');
    }
  });
}
