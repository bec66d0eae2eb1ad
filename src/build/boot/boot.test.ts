import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readUki } from '../../formats/uki.ts';
import { resolveConfig } from '../../project/load.ts';
import type { FirmwareConfig } from '../../project/schema.ts';
import type { PiBoot, Target, UefiBoot } from '../target.ts';
import { loadTarget } from '../targets.ts';
import { type BootInput, commandLine } from './cmdline.ts';
import { buildPiBoot } from './pi.ts';
import { buildUki } from './uefi.ts';

const UUID = '0cd9d0e5-1f2a-8b3c-9d4e-5f60718293a4';
const CONFIG = {
  name: 'sensor',
  version: '1.2.3',
  app: 'app.ts',
  targets: ['x86_64'],
  updateKeys: [
    'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGNM+vGprIe+aXeWchGBLdxDPwtfIPTFPW5KTMdsBQqQ hearth-example-key',
  ],
} satisfies FirmwareConfig;

let dir: string;
let x86: Target;
let pi: Target;
let stub: Buffer;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'hearth-boot-'));
  x86 = (await loadTarget('x86_64')).target;
  pi = (await loadTarget('rpi3')).target;
  // A stub is any UEFI program; the real one is in the test of the whole pipeline.
  writeFileSync(join(dir, 'stub.c'), 'int start(void) { return 7; }\n');
  const run = (program: string, ...args: string[]) => execFileSync(program, args, { cwd: dir });
  run('gcc', '-c', '-O1', '-fno-ident', '-fno-asynchronous-unwind-tables', 'stub.c');
  run('ld', '-m', 'i386pep', '--subsystem', '10', '-e', 'start', 'stub.o', '-o', 'stub.efi');
  stub = run('cat', 'stub.efi');
});
afterAll(() => rmSync(dir, { recursive: true }));

function input(target: Target, change: object = {}, parts: Record<string, Uint8Array> = {}): BootInput {
  return {
    target,
    config: resolveConfig({ ...CONFIG, ...change }, 'fw.config.ts'),
    uuid: UUID,
    version: '1.2.3',
    part: async (name) => parts[name] ?? Buffer.from(`the part ${name}`),
    time: new Date('2026-11-01T12:00:00Z'),
  };
}

describe('the kernel command line (docs/device.md)', () => {
  test('names console, firmware and target, and trusts a backup GPT', () => {
    const words = commandLine(input(x86)).split(' ');
    expect(words.slice(0, 2)).toEqual(['console=tty0', 'console=ttyS0,115200']);
    expect(words).toEqual(expect.arrayContaining(['loglevel=4', 'panic=5', 'gpt']));
    expect(words.slice(-4)).toEqual([
      'hearth.target=x86_64',
      `hearth.uuid=${UUID}`,
      'hearth.console=log',
      'hearth.beat=10',
    ]);
  });

  test('has a root shell only where the config has one', () => {
    const line = commandLine(input(x86, { console: 'shell', dev: true }));
    expect(line).toContain('hearth.console=shell');
    expect(line).toContain('hearth.shell=ttyS1');
    expect(commandLine(input(x86, { dev: true }))).not.toContain('shell');
  });

  test('is quiet with console none, and carries the beat timeout', () => {
    const line = commandLine(input(pi, { console: 'none', heart: { beatTimeoutSeconds: 3 } }));
    expect(line).toMatch(/^console=ttyS1,115200 quiet loglevel=1 /);
    expect(line).toMatch(/ hearth\.console=none hearth\.beat=3$/);
  });
});

describe("a Pi's boot partition", () => {
  const KERNEL = Buffer.alloc(3_000_000, 'kernel');
  const boot = (): PiBoot => {
    if (pi.boot.family !== 'pi') throw new Error('rpi3 is no Pi');
    return pi.boot;
  };

  /** The file as mtools reads it from the payload, with one slot's bytes in place. */
  async function read(slot: 'a' | 'b'): Promise<(path: string) => Buffer> {
    const { payload, variant } = await buildPiBoot(input(pi, {}, { kernel: KERNEL }), boot());
    const image = join(dir, `boot-${slot}.img`);
    const bytes = Buffer.from(payload);
    expect(bytes.subarray(variant.offset, variant.offset + variant.a.length).equals(variant.a)).toBe(true);
    bytes.set(variant[slot], variant.offset);
    writeFileSync(image, bytes);
    truncateSync(image, boot().slotSize);
    execFileSync('/usr/sbin/fsck.fat', ['-n', image]);
    return (path) => execFileSync('mtype', ['-i', image, `::${path}`], { maxBuffer: 64 * 1024 * 1024 });
  }

  test.each(['a', 'b'] as const)(
    'with the variant of slot %s is sound, and its command line says so',
    async (slot) => {
      const file = await read(slot);
      const text = file('cmdline.txt').toString();
      expect(text).toBe(`${commandLine(input(pi))} hearth.slot=${slot}\n`);
      expect(file('kernel8.img').equals(KERNEL)).toBe(true);
      expect(file('initramfs.img').toString()).toBe('the part initramfs');
      expect(file('bcm2837-rpi-3-b.dtb').toString()).toBe('the part dtb/bcm2837-rpi-3-b');
      expect(file('start.elf').toString()).toBe('the part usr/lib/raspi-firmware/start.elf');
      expect(file('config.txt').toString()).toMatch(
        /^# Written by Hearth\.\narm_64bit=1\n.*kernel=kernel8\.img\ninitramfs initramfs\.img followkernel\n$/s,
      );
    },
  );

  test('differs between the slots in nothing but the variant, of one length', async () => {
    const { payload, variant } = await buildPiBoot(input(pi, {}, { kernel: KERNEL }), boot());
    expect(variant.a.length).toBe(variant.b.length);
    expect(variant.offset + variant.a.length).toBeLessThanOrEqual(payload.length);
    expect(payload.length % 512).toBe(0);
    // Free space behind the last file does not travel.
    expect(payload.length).toBeLessThan(KERNEL.length + 1_000_000);
  });

  test('is the same for the same input', async () => {
    const [one, two] = [await buildPiBoot(input(pi), boot()), await buildPiBoot(input(pi), boot())];
    expect(Buffer.from(one.payload).equals(two.payload)).toBe(true);
  });

  test('that is too small for its files is an error', async () => {
    const parts = { kernel: Buffer.alloc(boot().slotSize) };
    await expect(buildPiBoot(input(pi, {}, parts), boot())).rejects.toMatchObject({
      code: 'boot-too-large',
      message: expect.stringMatching(/rpi3 are too large: fat: does not fit: \d+ bytes more/),
    });
  });
});

describe('a unified kernel image', () => {
  const boot = (): UefiBoot => {
    if (x86.boot.family !== 'uefi') throw new Error('x86_64 does not boot by UEFI');
    return x86.boot;
  };

  test('holds kernel, initramfs, command line and the name of the firmware', async () => {
    const sections = new Map(
      readUki(await buildUki(input(x86, {}, { stub }), boot())).map(({ name, bytes }) => [
        name,
        Buffer.from(bytes).toString(),
      ]),
    );
    expect(sections.get('.linux')).toBe('the part kernel');
    expect(sections.get('.initrd')).toBe('the part initramfs');
    expect(sections.get('.cmdline')).toBe(commandLine(input(x86)));
    expect(sections.get('.osrel')).toContain('PRETTY_NAME="sensor 1.2.3"\n');
  });

  test('that is larger than its slot is an error that says by how much', async () => {
    const kernel = Buffer.alloc(boot().slotSize);
    const failure = buildUki(input(x86, {}, { stub, kernel }), boot());
    await expect(failure).rejects.toMatchObject({
      code: 'boot-too-large',
      message: expect.stringMatching(/^the kernel image of x86_64 is \d+ bytes too large$/),
      expected: `at most ${boot().slotSize} bytes, the size of a boot slot`,
    });
  });
});
