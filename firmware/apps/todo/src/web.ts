import { once } from 'node:events';
import {
  createServer,
  type Server as HttpServer,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import { Client, logger, telemetry } from 'hearthfw';
import { answer } from './answer.ts';
import type { Lists } from './lists.ts';

/** Connections at a time; the next is closed at once. */
const MOST_CONNECTIONS = 1_000;
/** How long a request may take to arrive, whole. */
const REQUEST_MS = 10_000;

/** HTTP, supervised: `Client` is for anything that is opened, may break, and is closed. */
export class Web extends Client<HttpServer> {
  #lists: Lists | undefined;
  #port = 0;
  #requestMs = REQUEST_MS;

  protected override get times() {
    return { disconnectMs: 4_000 };
  }

  override async init(port: number, lists: Lists, requestMs = REQUEST_MS): Promise<void> {
    this.#port = port;
    this.#requestMs = requestMs;
    this.#lists = lists;
    await super.init();
    logger.info('serving', { port: this.port() });
  }

  port(): number {
    const address = this.client.address();
    return typeof address === 'object' && address ? address.port : 0;
  }

  protected override async connect(signal: AbortSignal): Promise<HttpServer> {
    const requestTimeout = this.#requestMs;
    const limits = {
      requestTimeout,
      headersTimeout: requestTimeout,
      connectionsCheckingInterval: requestTimeout / 10,
    };
    const server = createServer(limits, (request, response) => {
      this.#serve(server, request, response).catch((error: Error) => this.failed(error));
    });
    server.maxConnections = MOST_CONNECTIONS;
    await once(server.listen(this.#port), 'listening', { signal });
    return server.on('error', (error) => this.failed(error));
  }

  protected override healthy(server: HttpServer): boolean {
    return server.listening;
  }

  /** Lets requests that are at work be answered; after `disconnectMs` nobody waits for them. */
  protected override async disconnect(server: HttpServer): Promise<void> {
    const closed = once(server, 'close');
    server.close();
    await closed;
  }

  /** Beside the mailbox: a request waits for its list, and never for another request. */
  async #serve(server: HttpServer, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const since = performance.now();
    const { status, text, headers } = await answer(this.lists, request.method ?? '', request.url ?? '/');
    // Whoever keeps a connection for the next request would hold up the stop.
    const last = server.listening ? {} : { connection: 'close' };
    response
      .writeHead(status, { 'content-type': 'text/plain; charset=utf-8', ...headers, ...last })
      .end(text === '' ? '' : `${text}\n`);
    telemetry.execute('todo.request', { durationMs: performance.now() - since }, { status });
  }

  private get lists(): Lists {
    if (this.#lists) return this.#lists;
    throw new Error('the web has not started');
  }
}
