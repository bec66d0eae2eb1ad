import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Exec } from '../exec.ts';
import { createModuleLoader, impliedModule, impliedModules } from './modules.ts';

function recorder(code: number | undefined): { exec: Exec; calls: string[][] } {
  const calls: string[][] = [];
  return {
    calls,
    exec: async (_, args) => {
      calls.push([...args]);
      return {
        code,
        signal: undefined,
        stdout: '',
        stderr: '',
        failure: code === undefined ? 'ENOENT' : undefined,
        timedOut: false,
      };
    },
  };
}

test('each name is asked for once, whatever comes of it', async () => {
  const { exec, calls } = recorder(1);
  const loader = createModuleLoader(exec, () => expect.unreachable());
  expect(await loader.load(['pci:a', 'usb:b', 'pci:a', ''])).toBe(2);
  expect(await loader.load(['usb:b', 'usb:c'])).toBe(1);
  expect(await loader.load(['usb:c'])).toBe(0);
  expect(calls).toEqual([
    ['-abq', 'pci:a', 'usb:b'],
    ['-abq', 'usb:c'],
  ]);
});

test('hundreds of names go in a few calls', async () => {
  const { exec, calls } = recorder(0);
  await createModuleLoader(exec, () => {}).load(Array.from({ length: 250 }, (_, i) => `pci:${i}`));
  expect(calls.map((args) => args.length - 1)).toEqual([100, 100, 50]);
});

test('a modprobe that does not run is said', async () => {
  const said: string[] = [];
  await createModuleLoader(recorder(undefined).exec, (message) => said.push(message)).load(['pci:a']);
  expect(said).toEqual(['modprobe cannot be started (ENOENT)']);
});

test('an I2C adapter needs the module that makes its node', () => {
  expect(impliedModule('i2c', '/devices/platform/soc/3f804000.i2c/i2c-1')).toBe('i2c-dev');
  expect(impliedModule('i2c', '/devices/platform/soc/3f804000.i2c/i2c-1/1-0048')).toBeUndefined();
  expect(impliedModule('tty', '/devices/i2c-1')).toBeUndefined();
  const sys = mkdtempSync(join(tmpdir(), 'hearth-i2c-'));
  try {
    expect(impliedModules(sys)).toEqual([]);
    mkdirSync(join(sys, 'bus/i2c/devices/1-0048'), { recursive: true });
    expect(impliedModules(sys)).toEqual([]);
    mkdirSync(join(sys, 'bus/i2c/devices/i2c-1'));
    expect(impliedModules(sys)).toEqual(['i2c-dev']);
  } finally {
    rmSync(sys, { recursive: true });
  }
});
