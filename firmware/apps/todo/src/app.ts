import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { config, device, logger, onStop, run } from 'hearthfw';
import { parseRequest } from './request.ts';
import { openStore, type Store } from './store.ts';

interface Settings {
  /** TCP port; 0 takes any. */
  port?: number;
  /** Where the entries are kept; on a device /data/app. */
  folder?: string;
}

function reply(
  response: ServerResponse,
  status: number,
  text: string,
  headers: Record<string, string> = {},
): void {
  response
    .writeHead(status, { 'content-type': 'text/plain; charset=utf-8', ...headers })
    .end(text === '' ? '' : `${text}\n`);
}

async function answer(store: Store, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const asked = parseRequest(request.method ?? '', request.url ?? '/');
  switch (asked.kind) {
    case 'refuse':
      reply(response, asked.status, asked.message, asked.allow ? { allow: asked.allow } : {});
      return;
    case 'list': {
      const day = asked.date.replace(/^(....)(..)(..)$/, '$1-$2-$3');
      reply(
        response,
        200,
        store
          .titles(asked.list, asked.date)
          .map((title) => `${day} ${title}`)
          .join('\n'),
      );
      return;
    }
    case 'add':
      try {
        await store.add(asked.entry);
        reply(response, 200, 'OK');
      } catch (error) {
        logger.error('an entry was not stored', { error });
        const full = (error as NodeJS.ErrnoException).code === 'ENOSPC';
        reply(
          response,
          full ? 507 : 500,
          full ? 'The disk is full; nothing was stored.' : 'Nothing was stored.',
        );
      }
  }
}

run({
  async start() {
    const { port = 5454, folder = device.dataDir } = config<Settings>();
    if (device.dataState !== 'persistent')
      logger.warning('entries will not be kept', { data: device.dataState });
    const store = await openStore(folder, (lines) =>
      logger.warning('lines of the log were not whole', { lines }),
    );
    onStop(() => store.close());

    const server = createServer((request, response) => {
      answer(store, request, response).catch((error: unknown) => {
        logger.error('a request failed', { error });
        response.destroy();
      });
    });
    await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, resolve));
    onStop(
      () =>
        new Promise<void>((resolve) => {
          server.close(() => resolve());
          server.closeIdleConnections();
        }),
    );
    const address = server.address();
    logger.info('serving', { port: typeof address === 'object' ? address?.port : address });
  },
});
