import { defineRuntime, vars } from 'hearthfw';

// What a device would have in its environment.
Object.assign(process.env, { API_URL: 'https://api.example/v1', RETRY_EVERY: '1.5s' });

// In a project this is the default export of config/runtime.ts.
const runtime = defineRuntime({
  port: vars.int('HTTP_PORT', { min: 1, max: 65_535 }).default(8080),
  verbose: vars.bool('VERBOSE').default(false),
  mode: vars.enum('SYNC_MODE', ['fast', 'safe']).default('safe'),
  site: vars.string('SITE').optional(),
  api: {
    url: vars.url('API_URL', { schemes: ['https'] }),
    retryEveryMs: vars.duration('RETRY_EVERY', { max: 60_000 }),
  },
});

const port: number = runtime.port;
const mode: 'fast' | 'safe' = runtime.mode;
console.log(port, mode, runtime.site); // 8080 safe undefined
console.log(runtime.api.url.hostname, runtime.api.retryEveryMs); // api.example 1500
