import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { writeImage } from '../../src/build/image.ts';
import { buildExample, temporaryFolder } from '../firmware.ts';
import { withMachine } from './harness.ts';

// A Raspberry Pi is in tryboot.test.ts and in trials-rpi3.test.ts.

const BOOT = { timeoutMs: 240_000 };
const DISK_SIZE = 1024 ** 3;

async function image(target: string, folder: string): Promise<string> {
  const firmware = await buildExample('hello', target, folder);
  const path = `${folder}/${target}.img`;
  await writeImage(firmware.path, path, { size: DISK_SIZE });
  return path;
}

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeAll(async () => {
  folder = await temporaryFolder();
});
afterAll(() => folder[Symbol.asyncDispose]());

test('qemu_arm64: boots by UEFI, serves, is reset by its watchdog, and powers off', async () => {
  const path = await image('qemu_arm64', folder.path);
  await withMachine({ emulator: 'virt-arm64', image: path, ports: [8080] }, async (machine) => {
    await machine.console.waitFor(/\[hearth\] ready target=qemu_arm64 slot=a /, BOOT);
    const response = await fetch(`http://127.0.0.1:${machine.portOf(8080)}/health`);
    expect(await response.json()).toMatchObject({ ok: true, target: 'qemu_arm64' });
    const reset = machine.waitForReset(BOOT);
    await machine.shell.send('heart test-watchdog');
    expect((await reset).cause).toBe('watchdog');
    const [, cause] = await machine.console.waitFor(/\[hearth\] last reset: (.*)/, BOOT);
    expect(cause).toBe('watchdog');
    await machine.shell.send('kill -USR2 1');
    expect((await machine.exited).reason).toBe('guest-shutdown');
  });
});

describe('x86_64 finds its root on', () => {
  let path: string;
  beforeAll(async () => {
    path = await image('x86_64', folder.path);
  });

  test.for([
    ['nvme', '/dev/nvme0n1p3'],
    ['ahci', '/dev/sda3'],
    ['usb', '/dev/sda3'],
  ] as const)('%s', async ([bus, root]) => {
    await withMachine({ emulator: 'q35', image: path, bus }, async ({ console: lines }) => {
      await lines.waitFor(`[hearth] slot a of x86_64: ${root}`, BOOT);
      // From it, the second stage.
      await lines.waitFor('[hearth] started hearthd', BOOT);
    });
  });
});
