import { config, logger, onStop, run } from 'hearthfw';
import { createApp } from './server.ts';

interface Settings {
  /** The TCP port; 0 takes any that is free. */
  port?: number;
  greeting?: string;
}

run({
  // The device counts as up once this has resolved; if it throws, the app is started again.
  async start() {
    const { port = 8080, greeting = 'Hello' } = config<Settings>();
    const server = createApp(greeting);
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject).listen(port, resolve);
    });
    onStop(() => {
      server.close();
      server.closeAllConnections();
    });
    const address = server.address();
    logger.info('serving', { port: typeof address === 'object' ? address?.port : address });
  },
});
