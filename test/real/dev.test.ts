/** fw dev and fw debug over the user's real ssh: a real server, heart attach, hearthd's verbs, and the app as a real process. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { EXAMPLE_PUBLIC_KEY } from '../../src/archive/index.ts';
import { firmware } from '../../src/update/test-machine.ts';
import { AppAtWork, type AppAtWorkOptions } from './app-at-work.ts';
import { DevTools } from './dev-tools.ts';
import { fw, startFw } from './fw.ts';
import { SshDevice } from './ssh-device.ts';
import { freePort } from './sshd.ts';

const DEVICE = `${userInfo().username}@device`;

let folder = '';
let app: AppAtWork | undefined;
let children: ChildProcess[] = [];
const at = (path: string): string => join(folder, path);
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'dev-'));
  mkdirSync(at('project/src'), { recursive: true });
  project();
});
afterEach(async () => {
  for (const child of children) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    const gone = once(child, 'close');
    child.kill('SIGKILL');
    await gone;
  }
  [children] = [[]];
  await app?.stop();
  app = undefined;
  rmSync(folder, { recursive: true });
});

function project(name = 'hello'): void {
  const config = {
    ...{ name, version: '1.0.0', app: 'src/app.ts', targets: ['rpi3'], updateKeys: [EXAMPLE_PUBLIC_KEY] },
    config: { greeting: 'good morning' },
  };
  writeFileSync(at('project/fw.config.ts'), `export default ${JSON.stringify(config)};\n`);
}

/** The last line of the file is written as it is; the first is of the library that the app is made with. */
function source(code: string): void {
  writeFileSync(at('project/src/app.ts'), `import { config, run } from 'hearthfw';\n${code}\n`);
}

async function device(options?: AppAtWorkOptions): Promise<SshDevice> {
  app = await AppAtWork.start(at('device'), options);
  return SshDevice.start(await firmware(1), { development: app.development });
}

interface Event {
  event: string;
  [field: string]: unknown;
}

/** The real command, with its events as they come. */
function dev(on: SshDevice, more: string[] = []) {
  const child = startFw(['dev', DEVICE, '--app', at('project'), '--json', ...more], {
    env: { PATH: on.sshd.path },
  });
  children.push(child);
  const events: Event[] = [];
  if (!child.stdout) throw new Error('it has no output');
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  /** The next one that is so; what came before it is passed over. */
  const next = async (event: string, isIt: (one: Event) => boolean = () => true): Promise<Event> => {
    for (;;) {
      const { value, done } = await lines.next();
      if (done) throw new Error(`fw has ended: ${JSON.stringify(events, null, 1)}`);
      const one = JSON.parse(value) as Event;
      events.push(one);
      if (one.event === event && isIt(one)) return one;
    }
  };
  /** The app has come up, and has printed this line: what it prints and its health come by two ways, in either order. */
  const up = async (line: string): Promise<Event> => {
    const before = events.length;
    const isSaid = (): boolean => events.slice(before).some((one) => one.line === line);
    const healthy = await next('healthy');
    if (!isSaid()) await next('output', isSaid);
    return healthy;
  };
  return { child, events, next, up };
}

describe('fw dev', () => {
  test('runs what is saved on the device, shows what it prints, and leaves it running', async () => {
    source("run(() => console.log('one:', config().greeting));");
    await using on = await device();
    const { child, events, next, up } = dev(on);
    expect(await next('connected')).toMatchObject({ product: 'hello', version: '1.1.0', target: 'rpi3' });
    const healthy = await up('one: good morning');
    expect(healthy).toMatchObject({ total: expect.any(Number), push: expect.any(Number) });

    source("run(() => console.log('two:', config().greeting));");
    await up('two: good morning');
    // The app before it was asked to stop, and did.
    expect(events.some(({ line }) => String(line).includes('stopping: hearthd asked'))).toBe(true);

    const gone = once(child, 'close');
    child.kill('SIGINT');
    expect(await gone).toEqual([null, 'SIGINT']);
    expect(app?.state.name).toBe('healthy');
    expect(readFileSync(at('device/dev/app.mjs'), 'utf8').includes('"two:"')).toBe(true);
  });

  test('what cannot be bundled changes nothing, and what throws is told by the lines of the source', async () => {
    source('run(() => {});');
    await using on = await device();
    const { next } = dev(on);
    await next('healthy');
    source('run(() => {');
    expect(await next('broken')).toMatchObject({ code: 'app-bundle' });
    expect(app?.state.name).toBe('healthy');
    source("run(() => {\n  throw new Error('out of milk');\n});");
    const { message } = await next('report');
    expect(message).toContain('out of milk');
    expect(message).toContain(`${at('project/src/app.ts')}:3:`);
    source('run(() => {});');
    await next('healthy');
  });

  test('a device that is lost ends it with the reason', async () => {
    source('run(() => {});');
    await using on = await device();
    const { child, next } = dev(on);
    await next('healthy');
    const gone = once(child, 'close');
    on.hangUp();
    expect(await next('gone').catch((error: Error) => error.message)).toContain('fw has ended');
    expect(await gone).toEqual([1, null]);
  });

  test.each<[string, string, () => void]>([
    ['another product', 'dev-other-product', () => project('other')],
    ['sources that cannot be bundled', 'app-bundle', () => source('run(() => {')],
  ])('%s: refused before the app is stopped', async (_, code, damage) => {
    source('run(() => {});');
    damage();
    await using on = await device();
    const before = app?.state;
    const { stdout } = await fw(['dev', DEVICE, '--app', at('project'), '--json'], {
      env: { PATH: on.sshd.path },
    });
    expect(JSON.parse(stdout.trim().split('\n').at(-1) ?? '')).toMatchObject({ error: { code } });
    expect(app?.state).toEqual(before);
  });

  test('a device that was built for the field runs nothing that is not signed', async () => {
    source('run(() => {});');
    await using on = await SshDevice.start(await firmware(1));
    const { code, stdout } = await fw(['dev', DEVICE, '--app', at('project'), '--json'], {
      env: { PATH: on.sshd.path },
    });
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      error: { code: 'dev-refused', remedy: expect.stringContaining('dev: true') },
    });
  });
});

describe('fw debug', () => {
  const BEAT_TIMEOUT_MS = 1_000;

  /** The real command, once it listens. */
  async function debug(on: SshDevice): Promise<{ child: ChildProcess; listening: Event }> {
    const child = startFw(['debug', DEVICE, '--port', '0', '--json'], { env: { PATH: on.sshd.path } });
    children.push(child);
    if (!child.stdout) throw new Error('it has no output');
    const [line] = await once(createInterface({ input: child.stdout }), 'line');
    return { child, listening: JSON.parse(line) as Event };
  }

  test('a debugger sees the sources, and halts the app for longer than an app may be silent', async () => {
    source('let n = 0;\nrun(() => void setInterval(() => {\n  n++;\n}, 10));');
    await using on = await device({ inspectorPort: await freePort(), beatTimeoutMs: BEAT_TIMEOUT_MS });
    const { next } = dev(on);
    await next('healthy');
    const before = app?.state;
    const { child, listening } = await debug(on);
    expect(listening).toMatchObject({ event: 'listening', host: '127.0.0.1', port: expect.any(Number) });

    const tools = await DevTools.connect(`http://127.0.0.1:${listening.port}`);
    expect(listening.devtools).toContain(tools.url.replace('ws://', 'ws='));
    void tools.send('Debugger.enable');
    const script = await tools.event('Debugger.scriptParsed', ({ url }) => String(url).endsWith('/app.mjs'));
    const [, base64 = ''] = String(script.sourceMapURL).split('base64,');
    const { sources } = JSON.parse(Buffer.from(base64, 'base64').toString()) as { sources: string[] };
    expect(sources).toContain(pathToFileURL(at('project/src/app.ts')).href);
    void tools.send('Debugger.pause');
    await tools.event('Debugger.paused');
    await setTimeout(3 * BEAT_TIMEOUT_MS);
    expect(app?.state).toEqual(before);
    await tools.send('Debugger.resume');
    tools.close();

    const gone = once(child, 'close');
    child.kill('SIGINT');
    expect(await gone).toEqual([null, 'SIGINT']);
    expect(app?.state).toEqual(before);
  });

  test('an app that hangs while nobody debugs it is killed', async () => {
    source('run(() => {\n  setTimeout(() => {\n    for (;;);\n  }, 100);\n});');
    await using on = await device({ inspectorPort: await freePort(), beatTimeoutMs: BEAT_TIMEOUT_MS });
    const { next } = dev(on);
    await next('healthy');
    expect(await next('report')).toMatchObject({ message: expect.stringContaining('stood still') });
  });

  test('a device that was built for the field opens no inspector', async () => {
    await using on = await SshDevice.start(await firmware(1));
    const { code, stdout } = await fw(['debug', DEVICE, '--json'], { env: { PATH: on.sshd.path } });
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'dev-refused' } });
  });
});
