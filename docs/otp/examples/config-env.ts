import { env, logger } from 'hearthfw';

// In a firmware without `dev: true` neither this branch nor the call of debug is in the bundle.
if (env === 'dev') logger.debug('checking every invariant', { at: new Date() });

console.log(env === process.env.FW_ENV); // true
