import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FwError } from '../errors.ts';
import { loadProject, resolveConfig } from './load.ts';
import type { FirmwareConfig } from './schema.ts';
import { parseSize } from './size.ts';

const KEY =
  'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGNM+vGprIe+aXeWchGBLdxDPwtfIPTFPW5KTMdsBQqQ hearth-example-key';
const LEAST = {
  name: 'sensor',
  version: '1.2.3',
  app: 'src/app.ts',
  targets: ['x86_64'],
  updateKeys: [KEY],
} satisfies FirmwareConfig;
const MiB = 1024 * 1024;

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'hearth-project-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

function write(path: string, text: string): void {
  mkdirSync(dirname(join(dir, path)), { recursive: true });
  writeFileSync(join(dir, path), text);
}

/** A project whose configuration is this module's text. */
async function load(config: string): Promise<Awaited<ReturnType<typeof loadProject>>> {
  write('src/app.ts', '');
  write('fw.config.ts', config);
  return loadProject(dir);
}

/** The error of a configuration that differs from the least one in these fields. */
function failure(change: object): FwError {
  try {
    resolveConfig({ ...LEAST, ...change }, '/p/fw.config.ts');
  } catch (error) {
    if (error instanceof FwError) return error;
    throw error;
  }
  throw new Error(`accepted: ${JSON.stringify(change)}`);
}

describe('a project', () => {
  test('loads, with every default filled in', async () => {
    const project = await load(
      `import { defineFirmware } from 'hearthfw/config';
       export default defineFirmware(${JSON.stringify(LEAST)});`,
    );
    expect(project.dir).toBe(dir);
    expect(project.configFile).toBe(join(dir, 'fw.config.ts'));
    expect(project.config).toEqual({
      ...LEAST,
      app: {
        entry: 'src/app.ts',
        beatTimeoutMs: 30_000,
        maxRestarts: 5,
        restartWindowMs: 60_000,
        stopTimeoutMs: 5_000,
        onUnhealthy: 'stay',
        env: {},
        nodeArgs: [],
      },
      console: 'log',
      dev: false,
      network: { dhcp: true },
      sshKeys: [],
      update: { healthySeconds: 30, trialSeconds: 300, validate: 'auto' },
      dataSize: 64 * MiB,
      config: {},
      heart: { beatTimeoutSeconds: 10 },
    });
  });

  test('may import its own modules and JSON', async () => {
    write('package.json', '{"version":"4.5.6"}');
    write('settings.ts', 'export const port: number = 80;');
    const { config } = await load(
      `import pkg from './package.json';
       import { port } from './settings.ts';
       export default { ...${JSON.stringify(LEAST)}, version: pkg.version, config: { port } };`,
    );
    expect(config).toMatchObject({ version: '4.5.6', config: { port: 80 } });
  });

  test('may say more of its app', () => {
    const app = { entry: 'main.ts', maxRestarts: 0, env: { LEVEL: 'debug' } };
    expect(resolveConfig({ ...LEAST, app }, 'f').app).toMatchObject({ ...app, beatTimeoutMs: 30_000 });
  });
});

describe('a project that cannot be loaded names file and remedy:', () => {
  test('no configuration', async () => {
    await expect(loadProject(dir)).rejects.toMatchObject({
      code: 'no-config',
      where: dir,
      remedy: expect.stringContaining('--app'),
    });
  });

  test('a syntax error, with its line', async () => {
    const failure = load('export default {\n  name: "x",\n  app: ,\n};');
    await expect(failure).rejects.toMatchObject({
      code: 'config-syntax',
      where: expect.stringMatching(/fw\.config\.ts:3:8$/),
    });
    await expect(failure).rejects.toThrow('app: ,');
  });

  test('an import that is not there, with its line', async () => {
    await expect(load("\nimport './gone.ts';\nexport default {};")).rejects.toMatchObject({
      code: 'config-syntax',
      where: expect.stringMatching(/fw\.config\.ts:2:8$/),
    });
  });

  test.each([
    ["throw new Error('no such variable: PORT');", 'no such variable: PORT'],
    ["throw 'a text';", 'a text'],
    ['export default undefinedName;', 'undefinedName is not defined'],
  ])('one that throws: %s', async (text, message) => {
    const failure = load(text);
    await expect(failure).rejects.toMatchObject({ code: 'config-threw', where: join(dir, 'fw.config.ts') });
    await expect(failure).rejects.toThrow(message);
  });

  test('no default export', async () => {
    await expect(load('export const config = {};')).rejects.toMatchObject({
      code: 'config-no-default',
      expected: expect.stringContaining('export default'),
    });
  });

  test.each(['src/gone.ts', 'src'])('an entry that is no file: %s', async (app) => {
    await expect(load(`export default ${JSON.stringify({ ...LEAST, app })}`)).rejects.toMatchObject({
      code: 'entry-missing',
      where: `${join(dir, 'fw.config.ts')}: app`,
      expected: expect.stringContaining(join(dir, app)),
      message: expect.stringContaining(app),
    });
  });
});

describe('an unknown field is an error that suggests the nearest one', () => {
  test.each([
    [{ consol: 'log' }, 'consol', 'console'],
    [{ udpateKeys: [] }, 'udpateKeys', 'updateKeys'],
    [{ app: { entry: 'x', beatTimeout: 5 } }, 'app.beatTimeout', 'beatTimeoutMs'],
    [{ network: { hostName: 'x' } }, 'network.hostName', 'hostname'],
    [{ heart: { beatTimeoutSecond: 5 } }, 'heart.beatTimeoutSecond', 'beatTimeoutSeconds'],
  ])('%j', (change, path, nearest) => {
    const error = failure(change);
    expect(error).toMatchObject({ code: 'config-invalid', where: `/p/fw.config.ts: ${path}` });
    expect(error.message).toContain(`${path}: there is no such field; did you mean '${nearest}'?`);
    expect(error.remedy).toBe(`Rename '${path.split('.').at(-1)}' to '${nearest}'.`);
  });

  test('where none is near, the fields are listed', () => {
    expect(failure({ network: { wifi: true } }).remedy).toBe('Remove it. Fields: hostname, dhcp.');
  });

  test('several are all told', () => {
    const { message } = failure({ consol: 1, verison: 2, app: { entri: 'x', maxRestart: 1 } });
    for (const key of ['consol:', 'verison:', 'app.entri:', 'app.maxRestart:', 'app.entry: is missing'])
      expect(message).toContain(key);
  });
});

describe('a wrong value names its field and what it should be', () => {
  test.each([
    [{ name: undefined }, 'name', 'is missing (expected: string)'],
    [{ name: 5 }, 'name', 'expected string, received number'],
    [{ name: 'Sensor' }, 'name', 'lower-case'],
    [{ name: 'sensor-' }, 'name', 'not ending with a dash'],
    [{ name: 's'.repeat(32) }, 'name', '1 to 31'],
    [{ version: '1.2' }, 'version', 'semantic version'],
    [{ version: '1.02.3' }, 'version', 'semantic version'],
    [{ version: '1.2.3-..' }, 'version', 'semantic version'],
    [{ app: 5 }, 'app', 'a path, or an object with `entry`'],
    [{ app: '' }, 'app', 'must not be empty'],
    [{ app: { entry: 'x', beatTimeoutMs: '5' } }, 'app.beatTimeoutMs', 'expected number, received string'],
    [{ app: { entry: 'x', stopTimeoutMs: 0 } }, 'app.stopTimeoutMs', '>0'],
    [{ app: { entry: 'x', onUnhealthy: 'rebot' } }, 'app.onUnhealthy', '"stay"|"reboot"'],
    [{ app: { entry: 'x', env: { A: 1 } } }, 'app.env.A', 'expected string, received number'],
    [{ app: { entry: 'x', env: { 'A=B': '' } } }, 'app.env.A=B', 'name of an environment variable'],
    [{ targets: [] }, 'targets', '>=1'],
    [{ targets: 'x86_64' }, 'targets', 'expected array'],
    [{ console: 'all' }, 'console', '"none"|"log"|"shell"'],
    [{ dev: 'yes' }, 'dev', 'expected boolean'],
    [{ network: { hostname: 'Big One' } }, 'network.hostname', 'lower-case'],
    [{ heart: { beatTimeoutSeconds: 0 } }, 'heart.beatTimeoutSeconds', '>=1'],
    [{ updateKeys: undefined }, 'updateKeys', 'is missing'],
    [{ updateKeys: [] }, 'updateKeys', '>=1'],
    [{ updateKeys: ['ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAAAgQC3'] }, 'updateKeys.0', 'ssh-ed25519 only'],
    [{ updateKeys: [KEY, 'ssh-ed25519 AAAA'] }, 'updateKeys.1', 'OpenSSH public key line'],
    [{ updateKeys: ['~/.ssh/id_ed25519.pub'] }, 'updateKeys.0', 'OpenSSH public key line'],
    [{ sshKeys: [`${KEY}\n${KEY}`] }, 'sshKeys.0', 'OpenSSH public key line'],
    [{ config: { port: undefined } }, 'config.port', 'what JSON can say'],
    [{ config: { list: [1, Number.NaN] } }, 'config.list.1', 'what JSON can say'],
  ])('%j', (change, path, text) => {
    const error = failure(change);
    expect(error).toMatchObject({ code: 'config-invalid', where: `/p/fw.config.ts: ${path}` });
    expect(error.message).toContain(`${path}: `);
    expect(error.message).toContain(text);
    expect(error.remedy).toBeTruthy();
  });

  test.each([undefined, null, 5, [LEAST], () => LEAST])('the whole of it: %s', (value) => {
    expect(() => resolveConfig(value, '/p/fw.config.ts')).toThrow(/the configuration: .*expected.* object/s);
  });

  test('a root shell in what is not a development firmware', () => {
    expect(failure({ console: 'shell' })).toMatchObject({
      code: 'shell-in-production',
      where: '/p/fw.config.ts: console',
      remedy: expect.stringContaining('dev: true'),
    });
    expect(resolveConfig({ ...LEAST, console: 'shell', dev: true }, 'f').console).toBe('shell');
  });
});

describe('dataSize', () => {
  test.each([
    ['512 MiB', 512 * MiB],
    ['512MiB', 512 * MiB],
    ['2 GiB', 2048 * MiB],
    ['8 MiB', 8 * MiB],
    [100_000_000, 100_000_000],
  ])('%s', (dataSize, bytes) => {
    expect(resolveConfig({ ...LEAST, dataSize }, 'f').dataSize).toBe(bytes);
  });

  test.each([
    ['512 MB', 'a text such as'],
    ['1.5 GiB', 'a text such as'],
    ['9999999 GiB', 'a text such as'],
    [true, 'a text such as'],
    ['0 MiB', 'at least 8 MiB'],
    ['7 MiB', 'at least 8 MiB'],
    [0, 'at least 8 MiB'],
    [-1, 'at least 8 MiB'],
    [1e7 + 0.5, 'a text such as'],
  ])('%s is refused', (dataSize, text) => {
    expect(failure({ dataSize }).message).toContain(text);
  });

  test('parseSize knows nothing but MiB and GiB', () => {
    expect([parseSize('1 GiB'), parseSize(''), parseSize('1 KiB'), parseSize(' 1 MiB')]).toEqual([
      1024 * MiB,
      undefined,
      undefined,
      undefined,
    ]);
  });
});
