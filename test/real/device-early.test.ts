import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { bundleHearthd } from '../../src/build/bundle/index.ts';
import { DEFAULT_DATA, type FirmwareInfo } from '../../src/device/firmware-info.ts';

/** The first milliseconds of hearthd as it is on a device, among the files of one. */

const INFO: FirmwareInfo = {
  ...{ product: 'hello', version: '1.0.0', target: 'x86_64', uuid: 'u', kernelVersion: '6.12' },
  ...{ console: 'log', dev: false, exampleKey: false, sshKeys: [], updateKeys: [] },
  app: {
    ...{ beatTimeoutMs: 10_000, maxRestarts: 5, restartWindowMs: 120_000, stopTimeoutMs: 5_000 },
    ...{ onUnhealthy: 'stay', env: {} },
  },
  network: { hostname: 'hello', dhcp: true },
  update: { healthySeconds: 30, trialSeconds: 300, validate: 'auto' },
  data: DEFAULT_DATA,
};
const BOOT = 'TARGET=x86_64\nSLOT=a\nUUID=u\nDISK=/dev/vda\nROOT=/dev/vda3\nTABLE=gpt\n';

/** Ends hearthd where it starts the app's process, and prints what Node has loaded of its own by then. */
const PROBE = `
require('node:child_process').spawn = (program, args) => {
  const loaded = process.moduleLoadList.map((name) => name.replace('NativeModule ', ''));
  require('node:fs').writeSync(1, JSON.stringify({ program, args, loaded }));
  process.exit(0);
};
`;

let dir: string;
let child: ReturnType<typeof spawn> | undefined;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'hearth-early-'));
});
afterEach(() => {
  child?.kill('SIGKILL');
  rmSync(dir, { recursive: true });
});

interface Outcome {
  code: number | null;
  stdout: string;
  /** What heart has got. */
  heart: Buffer;
  console: string;
}

/** @param probe CommonJS that runs before it */
async function hearthd(files: ReadonlyMap<string, Uint8Array>, probe: string): Promise<Outcome> {
  const folder = join(dir, 'hearthd');
  mkdirSync(folder);
  const put = (name: string, content: string | Uint8Array): string => {
    writeFileSync(join(dir, name), content);
    return join(dir, name);
  };
  for (const [name, bytes] of files) put(join('hearthd', name), bytes);
  const node = dirname(process.execPath);
  const libraries = ['/lib', '/lib64', '/usr/lib'].filter((path) => existsSync(path));
  const started = spawn(
    'bwrap',
    [
      ...['--unshare-all', '--die-with-parent', '--clearenv', '--setenv', 'HEART_FD', '3'],
      ...[...libraries, node].flatMap((path) => ['--ro-bind', path, path]),
      ...['--proc', '/proc', '--dev', '/dev', '--bind', put('console', ''), '/dev/console'],
      ...['--ro-bind', put('firmware.json', JSON.stringify(INFO)), '/etc/hearth/firmware.json'],
      ...['--ro-bind', put('boot', BOOT), '/run/hearth/boot'],
      ...['--ro-bind', put('probe.cjs', probe), '/probe.cjs', '--ro-bind', folder, '/hearthd'],
      ...['--', process.execPath, '--require=/probe.cjs', '/hearthd/hearthd.mjs'],
    ],
    { stdio: ['ignore', 'pipe', 'inherit', 'pipe'] },
  );
  child = started;
  const code = new Promise<number | null>((resolve) => started.on('close', resolve));
  const [stdout, heart] = await Promise.all([
    text(started.stdio[1] as Readable),
    buffer(started.stdio[3] as Readable),
  ]);
  return { code: await code, stdout, heart, console: readFileSync(join(dir, 'console'), 'utf8') };
}

test("before the app's process is started heart has its first beat, and what hearthd does not need by then is not loaded", async () => {
  const { files } = await bundleHearthd();
  const { code, stdout, heart } = await hearthd(files, PROBE);
  expect(code).toBe(0);
  expect(heart).toEqual(Buffer.from([0, 1, 2]));
  const { program, args, loaded } = JSON.parse(stdout);
  expect([program, args.at(-1)]).toEqual(['/sbin/heart', '/srv/app/app.mjs']);
  expect(loaded).toContain('child_process');
  for (const name of ['crypto', 'zlib', 'timers/promises']) expect(loaded).not.toContain(name);
});

test('services that cannot even be loaded end hearthd, which says why', async () => {
  const { files } = await bundleHearthd();
  const broken = new Map(files);
  for (const name of files.keys())
    if (name.startsWith('hearthd-services-'))
      broken.set(name, Buffer.from("throw new Error('no services');"));
  const { code, heart, console } = await hearthd(broken, '');
  expect(code).toBe(1);
  expect(heart).toEqual(Buffer.from([0, 1, 2]));
  expect(console).toContain('[hearth] hearthd failed: Error: no services');
});
