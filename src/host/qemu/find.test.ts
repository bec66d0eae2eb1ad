import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { chooseAccelerator } from './accel.ts';
import { findQemu, parseVersion } from './find.ts';
import { actualForwards } from './forwards.ts';
import { findUefi } from './uefi.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hearth-find-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function program(script: string): Promise<void> {
  const file = join(folder, 'qemu-system-x86_64');
  await writeFile(file, `#!/bin/sh\n${script}\n`);
  await chmod(file, 0o755);
}

describe('looking for QEMU', () => {
  test("finds this machine's own", async () => {
    for (const emulator of ['q35', 'virt-arm64', 'raspi3b'] as const) {
      const { path, version } = await findQemu(emulator, process.env.PATH ?? '');
      expect(path).toContain('qemu-system-');
      expect(version[0]).toBeGreaterThanOrEqual(9);
    }
  });

  test('says which package to install when there is none', async () => {
    const missing = findQemu('raspi3b', `/nowhere:${folder}:`);
    await expect(missing).rejects.toMatchObject({
      code: 'qemu-missing',
      remedy: expect.stringContaining('qemu-system-arm'),
    });
  });

  test('refuses one that is too old', async () => {
    await program("echo 'QEMU emulator version 7.2.19 (Debian 1:7.2+dfsg-7+deb12u16)'");
    await expect(findQemu('q35', folder)).rejects.toMatchObject({
      code: 'qemu-too-old',
      where: join(folder, 'qemu-system-x86_64'),
      remedy: expect.stringContaining('bookworm-backports'),
    });
  });

  test('takes a new one, and the first on the PATH', async () => {
    await program("echo 'QEMU emulator version 11.1.50'");
    const found = await findQemu('q35', `${folder}:${process.env.PATH}`);
    expect(found).toEqual({ path: join(folder, 'qemu-system-x86_64'), version: [11, 1] });
  });

  test('tells one that does not run from one that is missing', async () => {
    await program('echo broken >&2; exit 1');
    await expect(findQemu('q35', folder)).rejects.toMatchObject({ code: 'qemu-failed' });
  });

  test('reads no version out of anything else', () => {
    expect(parseVersion('qemu-img version 10.0.2')).toBeUndefined();
  });
});

describe('looking for UEFI firmware', () => {
  test('finds what Debian has', async () => {
    for (const arch of ['x86_64', 'aarch64'] as const) {
      const { code, vars } = await findUefi(arch, '/usr/bin/qemu-system-x86_64');
      expect(code).toMatch(/CODE/);
      expect(vars).toMatch(/VARS/);
    }
  });

  test("takes the files beside a QEMU of one's own", async () => {
    const isOwn = async (file: string): Promise<boolean> => file.startsWith('/opt/qemu/share/qemu/');
    expect(await findUefi('aarch64', '/opt/qemu/bin/qemu-system-aarch64', isOwn)).toEqual({
      code: '/opt/qemu/share/qemu/edk2-aarch64-code.fd',
      vars: '/opt/qemu/share/qemu/edk2-arm-vars.fd',
    });
  });

  test('never takes code without its variables, and says what to install', async () => {
    const noVars = async (file: string): Promise<boolean> => !/VARS|vars/.test(file);
    await expect(findUefi('x86_64', '/usr/bin/qemu-system-x86_64', noVars)).rejects.toMatchObject({
      code: 'uefi-firmware-missing',
      remedy: expect.stringContaining("'apt install ovmf'"),
    });
  });
});

test('another architecture than the host is emulated', async () => {
  const arch = process.arch === 'x64' ? 'arm64' : 'x64';
  const { kind } = await chooseAccelerator({ qemu: '/no/such/qemu', arch, machine: 'virt' });
  expect(kind).toBe('tcg');
});

test('a KVM with which no machine starts is not used', async () => {
  const arch = process.arch === 'arm64' ? 'arm64' : 'x64';
  await program('exit 1');
  const { kind } = await chooseAccelerator({
    qemu: join(folder, 'qemu-system-x86_64'),
    arch,
    machine: 'q35',
  });
  expect(kind).toBe('tcg');
});

test("forwards are read from QEMU's own list, each once", () => {
  const listing = [
    'Hub -1 (net):',
    '  Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ SendQ',
    '  TCP[HOST_FORWARD]   9       127.0.0.1 41631       10.0.2.15  5454     0     0',
    '  TCP[HOST_FORWARD]   8       127.0.0.1 8080       10.0.2.15  5454     0     0',
    '  TCP[HOST_FORWARD]   4       127.0.0.1 33045       10.0.2.15    22     0     0',
    '  TCP[HOST_FORWARD]   4       127.0.0.1 33046       10.0.2.15    22     0     0',
  ].join('\r\n');
  const wanted = [
    { host: 0, guest: 22 },
    { host: 8080, guest: 5454 },
    { host: 0, guest: 5454 },
    { host: 0, guest: 22 },
  ];
  expect(actualForwards(wanted, listing)).toEqual([
    { host: 33045, guest: 22 },
    { host: 8080, guest: 5454 },
    { host: 41631, guest: 5454 },
    { host: 33046, guest: 22 },
  ]);
  expect(() => actualForwards([{ host: 0, guest: 80 }], listing)).toThrow(
    expect.objectContaining({ code: 'qemu-failed' }),
  );
});
