import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { SourceMap } from 'node:module';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { EXAMPLE_PUBLIC_KEY } from '../../archive/index.ts';
import type { Env } from '../../otp/config/env.ts';
import { resolveConfig } from '../../project/load.ts';
import { type Bundle, bundleApp } from './index.ts';

const ARCH = process.arch === 'arm64' ? 'aarch64' : 'x86_64';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'hearth-constants-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

async function bundle(
  files: Record<string, string>,
  env?: Env,
  dev = false,
): Promise<Bundle & { text: string }> {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(dir, path)), { recursive: true });
    writeFileSync(join(dir, path), content);
  }
  const configFile = join(dir, 'fw.config.ts');
  const config = resolveConfig(
    {
      name: 'c',
      version: '1.0.0',
      app: 'src/app.ts',
      targets: ['x86_64'],
      updateKeys: [EXAMPLE_PUBLIC_KEY],
      dev,
    },
    configFile,
  );
  const made = await bundleApp({ dir, configFile, config }, ARCH, { env });
  return { ...made, text: Buffer.from(made.code).toString() };
}

function run(
  { code }: Bundle,
  env: Record<string, string> = {},
): { stdout: string; stderr: string; status: number | null } {
  const file = join(dir, 'out.mjs');
  writeFileSync(file, code);
  return spawnSync(process.execPath, [file], { encoding: 'utf8', env });
}

const APP = `
import { logger as log, env } from 'hearthfw';
import { costly } from './costly.ts';
const net = log.module('net').with({ a: 1 });
log.debug(\`marker-debug \${costly()}\`, { more: costly() });
net.debug('marker-net', { more: costly() });
log.info('kept', { env, same: process.env.FW_ENV === env });
if (env === 'dev') console.log('marker-dev-branch');
if (process.env.FW_ENV === 'dev') console.log('marker-dev-variable');
{
  // Another thing of that name, which is none of ours.
  const log = { debug: (text: string) => console.log('own', text) };
  log.debug('own-debug');
}
const { debug } = log, alone = log.debug, bound = log.debug.bind(log);
debug('a'), alone('b'), bound('c');
const text = \`
const net = log.module(\`;
console.log(text.length, typeof net.info, [log].length);
`;
const FILES = {
  'src/app.ts': APP,
  'src/costly.ts': "export function costly(): string { console.log('marker-costly'); return 'x'; }",
};

test('in production calls of debug leave no code, and their arguments are not evaluated; the rest is as it was', async () => {
  const { text, code } = await bundle(FILES);
  expect(text).not.toMatch(/marker|__hearth(Logger|Dropped)\w*\.debug\(|__hearthConsole/);
  const { stdout, stderr } = run({ code } as Bundle, { HEARTH_LOG_LEVEL: 'debug' });
  expect(stdout).toBe('own own-debug\n24 function 1\n');
  expect(stderr).toBe('info: kept env=prod same=true\ndebug: a\ndebug: b\ndebug: c\n');
});

test('the bundle is smaller by what the calls were', async () => {
  const calls = Array.from({ length: 50 }, (_, n) => `logger.debug('call ${n}', { at: Date.now() });`).join(
    '\n',
  );
  const head = "import { logger, run } from 'hearthfw';\nrun(() => {\n";
  const without = (await bundle({ 'src/app.ts': `${head}});` })).code.length;
  const prod = (await bundle({ 'src/app.ts': `${head}${calls}});` })).code.length;
  const dev = (await bundle({ 'src/app.ts': `${head}${calls}});` }, 'dev')).code.length;
  expect(prod - without).toBeLessThan(100);
  expect(dev - without).toBeGreaterThan(50 * 40);
});

test('in development they are there, and other branches are left out', async () => {
  const { text, code } = await bundle(FILES, undefined, true);
  expect(text).toContain('marker-dev-branch');
  const { stdout, stderr } = run({ code } as Bundle, { HEARTH_LOG_LEVEL: 'debug' });
  expect(stdout).toContain(
    'marker-costly\nmarker-costly\nmarker-costly\nmarker-dev-branch\nmarker-dev-variable\n',
  );
  expect(stderr).toContain(
    'debug: marker-debug x more=x\ndebug: marker-net a=1 more=x module=net\ninfo: kept env=dev same=true\n',
  );
});

test('what looks like an import, in a text of the app, stays a text', async () => {
  const app =
    "import { logger } from 'hearthfw';\nlogger.debug('x');\nconsole.log(`\nimport { logger } from \"hearthfw\";\n`);";
  expect(run(await bundle({ 'src/app.ts': app })).stdout).toBe('\nimport { logger } from "hearthfw";\n\n');
});

test('a logger that a module exports keeps its name', async () => {
  const { code } = await bundle({
    'src/log.ts':
      "import { logger } from 'hearthfw';\nexport const log = logger.module('m');\nlogger.debug('gone');\n",
    'src/app.ts': "import { log } from './log.ts';\nlog.info('here');\n",
  });
  expect(run({ code } as Bundle).stderr).toBe('info: here module=m\n');
});

test('source maps still lead to the line that was written', async () => {
  const { text, map } = await bundle({
    'src/app.ts':
      "import { logger } from 'hearthfw';\ninterface A { a: string }\nlogger.debug('x');\n\nlogger.info('line five');\nexport type B = A;\n",
  });
  const lines = text.split('\n');
  const line = lines.findIndex((one) => one.includes('line five'));
  const origin = new SourceMap(JSON.parse(Buffer.from(map).toString())).findEntry(
    line,
    lines[line]?.indexOf('"line five"') ?? 0,
  );
  expect(origin).toMatchObject({ originalSource: 'src/app.ts', originalLine: 4 });
});

test('config/runtime.ts runs before the app, whatever package.json says of side effects', async () => {
  const files = {
    'package.json': '{"type":"module","sideEffects":false}',
    'config/runtime.ts':
      "import { defineRuntime, vars } from 'hearthfw';\nexport default defineRuntime({ port: vars.int('PORT'), token: vars.secret('TOKEN') });\n",
    'src/app.ts': `import { logger, runtimeConfig } from 'hearthfw';
      const { port, token } = runtimeConfig<typeof import('../config/runtime.ts')>();
      logger.info('up', { port, token, length: token.reveal().length });`,
  };
  const made = await bundle(files);
  expect(run(made, { PORT: '80', TOKEN: 'hunter2' }).stderr).toBe(
    'info: up port=80 token=[secret] length=7\n',
  );
  expect(run(made, { TOKEN: 'hunter2' })).toMatchObject({
    status: 78,
    stderr: 'the runtime configuration is refused: PORT is not set (expected an integer)\n',
  });
  expect(made.inputs.map((path) => path.slice(path.lastIndexOf('/') + 1)).sort()).toEqual([
    'app.ts',
    'runtime.ts',
  ]);
});
