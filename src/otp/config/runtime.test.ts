import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { expect, expectTypeOf, test } from 'vitest';
import { textFormatter } from '../logger/index.ts';
import { plain } from '../logger/plain.ts';
import { CONFIG_EXIT_CODE } from './exit-code.ts';
import { defineRuntime, RuntimeConfigError, readRuntime, runtimeConfig } from './runtime.ts';
import { Secret } from './secret.ts';
import { vars } from './variable.ts';

const SCHEMA = {
  port: vars.int('PORT', { min: 1, max: 65_535 }).default(8080),
  host: vars.string('HOST', { pattern: /^[a-z.]+$/ }),
  debug: vars.bool('DEBUG').default(false),
  mode: vars.enum('MODE', ['fast', 'safe']),
  api: {
    url: vars.url('API_URL', { schemes: ['https'] }),
    timeoutMs: vars.duration('API_TIMEOUT', { max: 60_000 }),
  },
  token: vars.secret('TOKEN', { minLength: 8 }),
  label: vars.string('LABEL').optional(),
};
const GOOD = {
  HOST: 'a.example',
  MODE: 'safe',
  API_URL: 'https://x.example/v1',
  API_TIMEOUT: '1.5s',
  TOKEN: 'correct horse',
};

function problems(changes: Record<string, string>): readonly string[] {
  try {
    readRuntime(SCHEMA, { ...GOOD, ...changes });
  } catch (error) {
    if (error instanceof RuntimeConfigError) return error.problems;
    throw error;
  }
  return [];
}

test('values have their types, groups and defaults, and cannot be changed', () => {
  const values = readRuntime(SCHEMA, { ...GOOD, DEBUG: 'On' });
  expect({ ...values, token: values.token.reveal() }).toEqual({
    port: 8080,
    host: 'a.example',
    debug: true,
    mode: 'safe',
    api: { url: new URL('https://x.example/v1'), timeoutMs: 1500 },
    token: 'correct horse',
    label: undefined,
  });
  expectTypeOf(values.port).toEqualTypeOf<number>();
  expectTypeOf(values.mode).toEqualTypeOf<'fast' | 'safe'>();
  expectTypeOf(values.api.url).toEqualTypeOf<URL>();
  expectTypeOf(values.label).toEqualTypeOf<string | undefined>();
  // @ts-expect-error a misspelt variable does not compile
  expect(values.prot).toBeUndefined();
  expect(() => Object.assign(values, { port: 1 })).toThrow(TypeError);
  expect(() => Object.assign(values.api, { timeoutMs: 1 })).toThrow(TypeError);
});

test('all that is wrong is told at once, each with its name and what was expected', () => {
  expect(() => readRuntime(SCHEMA, {})).toThrow(
    /refused: HOST is not set \(expected a text that matches .*\); MODE is not set \(expected one of fast, safe\); API_URL is not set .*; API_TIMEOUT .*; TOKEN is not set/,
  );
});

test.each([
  ['PORT', '80a', 'PORT is "80a" and no such value (expected an integer from 1 to 65535)'],
  ['PORT', '0', 'PORT is "0" and out of range (expected an integer from 1 to 65535)'],
  ['PORT', '1e3', 'PORT is "1e3" and no such value (expected an integer from 1 to 65535)'],
  ['DEBUG', 'maybe', 'DEBUG is "maybe" and neither (expected true or false)'],
  ['MODE', 'slow', 'MODE is "slow" and none of them (expected one of fast, safe)'],
  ['HOST', 'UPPER', 'HOST is a text that does not match (expected a text that matches /^[a-z.]+$/)'],
  ['API_URL', 'nonsense', 'API_URL is no URL (expected a URL with https:)'],
  ['API_URL', 'http://u:p@x/', 'API_URL is a URL with http: (expected a URL with https:)'],
  [
    'API_TIMEOUT',
    '5',
    expect.stringContaining('API_TIMEOUT is "5" and no such value (expected a duration such as'),
  ],
  ['API_TIMEOUT', '2h', expect.stringContaining('of at most 60000 ms)')],
  ['TOKEN', 'hunter2', 'TOKEN is 7 characters long (expected a secret of at least 8 characters)'],
  ['HOST', '', expect.stringContaining('HOST is not set')],
])('%s=%j is refused by name', (name, text, said) => {
  expect(problems({ [name]: text })).toEqual([said]);
});

test('a secret is seen by nobody who does not ask for it', () => {
  const secret = new Secret('hunter2');
  const shown = [
    String(secret),
    `${secret}`,
    `a${secret as unknown as string}`,
    JSON.stringify({ secret }),
    inspect(secret),
    inspect({ secret }, { showHidden: true, depth: 9 }),
    JSON.stringify(plain({ deep: [secret, new Map([[secret, secret]])] })),
    JSON.stringify(Object.entries(secret)),
    textFormatter({
      time: 0,
      level: 'info',
      message: `${secret}`,
      module: '',
      process: undefined,
      fields: { secret },
    }),
  ].join('\n');
  expect(shown).not.toContain('hunter2');
  expect(plain(secret)).toBe('[secret]');
  expect(shown.split('[secret]').length).toBeGreaterThan(9);
  expect(secret.reveal()).toBe('hunter2');
});

test('in tests a refused configuration is an exception; before it is read it cannot be asked for', () => {
  expect(() => runtimeConfig()).toThrow(/has not been read/);
  expect(() => defineRuntime({ x: vars.int('HEARTH_TEST_NOT_SET') })).toThrow(RuntimeConfigError);
  const defined = defineRuntime({ path: vars.string('PATH') });
  expect(runtimeConfig<{ default: typeof defined }>().path).toBe(process.env.PATH);
});

test('a program whose configuration is refused ends at once, with one line and its own code; with Node alone', () => {
  const folder = mkdtempSync(join(tmpdir(), 'hearth-runtime-'));
  try {
    const library = new URL('../index.ts', import.meta.url).href;
    const file = join(folder, 'app.mjs');
    writeFileSync(
      file,
      `import { defineRuntime, env, vars } from ${JSON.stringify(library)};
       const runtime = defineRuntime({ port: vars.int('PORT'), token: vars.secret('TOKEN') });
       console.log(env, process.env.FW_ENV, runtime.port, runtime);`,
    );
    const args = ['--disable-warning=ExperimentalWarning', file];
    const refused = spawnSync(process.execPath, args, { env: { PORT: 'a\nb' }, encoding: 'utf8' });
    expect(refused).toMatchObject({
      status: CONFIG_EXIT_CODE,
      stdout: '',
      stderr:
        'the runtime configuration is refused: PORT is "a\\nb" and no such value (expected an integer); TOKEN is not set (expected a secret)\n',
    });
    const env = { PORT: '1', TOKEN: 'hunter2', FW_ENV: 'prod' };
    expect(execFileSync(process.execPath, args, { env, encoding: 'utf8' })).toBe(
      'prod prod 1 { port: 1, token: [secret] }\n',
    );
    const wrong = spawnSync(process.execPath, args, { env: { FW_ENV: 'production' }, encoding: 'utf8' });
    expect(wrong.stderr).toContain("FW_ENV is 'production', which is none of dev, test and prod");
  } finally {
    rmSync(folder, { recursive: true });
  }
});
