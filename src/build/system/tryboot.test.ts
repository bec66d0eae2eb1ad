import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readModuleInfo } from '../../formats/kmod/index.ts';
import { sha256 } from '../hash.ts';
import { loadTarget, targetNames } from '../targets.ts';
import { readTryboot, readTrybootRecord, TRYBOOT } from './tryboot.ts';

const PREBUILT = new URL('../../../firmware/tryboot/prebuilt/', import.meta.url);
let folder: string;
let url: URL;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'hearth-tryboot-'));
  url = pathToFileURL(`${folder}/`);
});
afterAll(() => rmSync(folder, { recursive: true }));

const targets = await Promise.all(targetNames().map((name) => loadTarget(name)));
const pis = targets.filter(({ target }) => target.boot.family === 'pi');

test.for(pis.map(({ lock }) => lock))('$target: the module is for the kernel of its lock', (lock) => {
  const { kernel, vermagic, machine, license, depends, path } = infoOf(readTryboot(lock));
  expect(vermagic?.startsWith(`${lock.kernel} `)).toBe(true);
  expect({ kernel, machine, license, depends }).toEqual({
    kernel: lock.kernel,
    machine: 'aarch64',
    // The kernel gives what is under its own licence to no other module.
    license: 'GPL',
    // It is loaded before any other, by heart.
    depends: [],
  });
  expect(path).toBe(false);
});

/** What it says of itself, and whether any path of the machine that compiled it is in it. */
function infoOf(bytes: Uint8Array) {
  const path = /\/(tmp|home|root|usr)\//.test(Buffer.from(bytes).toString('latin1'));
  return { ...readModuleInfo(bytes, `${TRYBOOT}.ko`), kernel: readTrybootRecord().kernel, path };
}

describe('a build stops when', () => {
  const recorded = readTrybootRecord();
  const lockOf = (kernel: string, version: string) => ({
    target: 'rpi9',
    kernel,
    packages: [
      {
        name: `linux-image-${kernel}`,
        version,
        archive: 'debian' as const,
        path: 'pool/x',
        size: 1,
        sha256: '',
      },
    ],
  });

  test('the lock names another kernel than the module was compiled for', () => {
    expect(() => readTryboot(lockOf('6.12.999+deb13-arm64', '6.12.999-1'))).toThrow(
      expect.objectContaining({
        code: 'tryboot-wrong-kernel',
        message: `hearth_tryboot was compiled for ${recorded.kernel} (${recorded.version})`,
        expected: 'a module for 6.12.999+deb13-arm64 (6.12.999-1), which targets/rpi9/lock.json names',
      }),
    );
  });

  test('the lock names another build of that kernel, whose symbols may differ', () => {
    expect(() => readTryboot(lockOf(recorded.kernel, `${recorded.version}.1`))).toThrow('was compiled for');
  });

  test('the record names the kernel, but the module is for another one', () => {
    const record = { ...recorded, kernel: '6.12.999+deb13-arm64' };
    cpSync(PREBUILT, url, { recursive: true });
    writeFileSync(join(folder, 'module.json'), JSON.stringify(record));
    expect(() => readTryboot(lockOf(record.kernel, record.version), url)).toThrow('was compiled for');
  });

  test('the module is not the one that was recorded', () => {
    cpSync(PREBUILT, url, { recursive: true });
    const file = join(folder, `${TRYBOOT}.ko`);
    const bytes = readFileSync(file);
    bytes[100] = (bytes[100] ?? 0) ^ 1;
    writeFileSync(file, bytes);
    expect(sha256(bytes)).not.toBe(recorded.sha256);
    expect(() => readTryboot(lockOf(recorded.kernel, recorded.version), url)).toThrow(
      expect.objectContaining({ code: 'tryboot-damaged' }),
    );
  });
});
