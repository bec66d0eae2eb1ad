import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { DEFAULT_DATA, type FirmwareInfo } from '../firmware-info.ts';
import { APP_USER, PATHS } from '../paths.ts';
import { appCommand, appEnvironment, delegateApp } from './command.ts';

const info: FirmwareInfo = {
  product: 'p',
  version: '1.0.0',
  target: 'x86_64',
  uuid: 'u',
  console: 'log',
  dev: false,
  exampleKey: false,
  app: {
    beatTimeoutMs: 1_000,
    maxRestarts: 5,
    restartWindowMs: 60_000,
    stopTimeoutMs: 5_000,
    onUnhealthy: 'stay',
    env: { NODE_ENV: 'staging', PORT: '80', FW_ENV: 'test', HEARTH_SLOT: 'z' },
  },
  network: { hostname: 'p', dhcp: true },
  data: DEFAULT_DATA,
  sshKeys: [],
  updateKeys: [],
  update: { healthySeconds: 30, trialSeconds: 300, validate: 'auto' },
  kernelVersion: '6.1.0',
};
const boot = { target: 'x86_64', slot: 'a', uuid: 'u' } as const;

test('FW_ENV is what the firmware was built for; app.env adds, and replaces what is not ours', () => {
  expect(appEnvironment(info, boot)).toMatchObject({
    FW_ENV: 'prod',
    HEARTH_SLOT: 'a',
    NODE_ENV: 'staging',
    PORT: '80',
  });
  expect(appEnvironment({ ...info, dev: true }, boot).FW_ENV).toBe('dev');
});

test('the app may make cgroups beside its own, with what controllers the kernel has', () => {
  const folder = mkdtempSync(join(tmpdir(), 'hearth-app-'));
  try {
    const file = (name: string) => join(folder, name);
    writeFileSync(file('cgroup.controllers'), 'cpu memory io\n');
    for (const name of ['cgroup.procs', 'cgroup.subtree_control']) writeFileSync(file(name), '');
    const [uid = 0, gid = 0] = [process.getuid?.(), process.getgid?.()];
    const owner = uid === 0 ? { uid: APP_USER.uid, gid: APP_USER.gid } : { uid, gid };
    delegateApp(folder, owner);
    expect(readFileSync(file('cgroup.subtree_control'), 'utf8')).toBe('+memory');
    expect(statSync(folder)).toMatchObject(owner);
    expect(statSync(file('cgroup.procs'))).toMatchObject(owner);
  } finally {
    rmSync(folder, { recursive: true });
  }
  // Not in the app's own: a cgroup has either processes, or limits for those below it.
  const [, args] = appCommand([]);
  expect(args[args.indexOf('--cgroup') + 1]).toBe(`${PATHS.appCgroup}/main`);
});
