import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, stat, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { makePowerOfTwo, piBoard } from './board.ts';
import { CONTROL, makeCard, slot } from './card.fixture.ts';
import { emulatedDtb } from './emulated-dtb.ts';

const run = promisify(execFile);
let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hearth-board-'));
});
afterAll(() => rm(folder, { recursive: true }));

describe("the card's size", () => {
  test.each([
    [1, 1],
    [512, 512],
    [513, 1024],
    [200 * 1024 ** 2, 256 * 1024 ** 2],
    [2 ** 32 - 512, 2 ** 32],
  ])('%i bytes become %i, with a hole', async (before, after) => {
    const disk = join(folder, `${before}.img`);
    await writeFile(disk, 'x');
    await truncate(disk, before);
    await makePowerOfTwo(disk);
    const { size, blocks } = await stat(disk);
    expect(size).toBe(after);
    expect(blocks * 512).toBeLessThanOrEqual(4096);
    await makePowerOfTwo(disk);
    expect((await stat(disk)).size).toBe(after);
  });
});

/** As in Linux's bcm283x.dtsi and bcm2837-rpi-3-b.dts, cut down. */
const SOURCE = `/dts-v1/;
/ {
  #address-cells = <1>; #size-cells = <1>;
  soc {
    power: watchdog@7e100000 {
      compatible = "brcm,bcm2835-pm", "brcm,bcm2835-pm-wdt";
      reg = <0x7e100000 0x114>;
    };
    serial@7e201000 {
      compatible = "arm,pl011", "arm,primecell";
      status = "okay";
      bluetooth { compatible = "brcm,bcm43438-bt"; };
    };
    serial@7e215040 { compatible = "brcm,bcm2835-aux-uart"; };
    v3d { power-domains = <&power 1>; };
  };
};`;

describe('the device tree for the emulated board, as fdtget reads it', () => {
  let edited: string;
  beforeAll(async () => {
    const file = (name: string): string => join(folder, name);
    await writeFile(file('a.dts'), SOURCE);
    await run('dtc', ['-q', '-O', 'dtb', '-o', file('a.dtb'), file('a.dts')]);
    edited = file('b.dtb');
    await writeFile(edited, emulatedDtb(await readFile(file('a.dtb'))));
  });

  async function get(node: string, property: string, type = 's'): Promise<string> {
    return (await run('fdtget', ['-t', type, edited, node, property])).stdout.trim();
  }

  test('has no watchdog that the kernel would arm', async () => {
    expect(await get('/soc/watchdog@7e100000', 'compatible')).toBe('syscon');
  });

  test('reboots by the register that the watchdog driver would use', async () => {
    expect(await get('/emulated-reboot', 'compatible')).toBe('syscon-reboot');
    expect(await get('/emulated-reboot', 'regmap', 'x')).toBe(
      await get('/soc/watchdog@7e100000', 'phandle', 'x'),
    );
    expect(await get('/emulated-reboot', 'offset', 'x')).toBe('1c');
    expect(await get('/emulated-reboot', 'value', 'x')).toBe('5a000020');
  });

  test('has nothing behind its PL011, and everything else as it was', async () => {
    const { stdout } = await run('fdtget', ['-l', edited, '/soc/serial@7e201000']);
    expect(stdout.trim()).toBe('');
    expect(await get('/soc/serial@7e201000', 'status')).toBe('okay');
    expect(await get('/soc/serial@7e215040', 'compatible')).toBe('brcm,bcm2835-aux-uart');
  });

  test('gets a phandle where the power manager has none', async () => {
    const plain = SOURCE.replace('power: ', '').replace('power-domains = <&power 1>;', 'phandle = <7>;');
    await writeFile(join(folder, 'c.dts'), plain);
    await run('dtc', ['-q', '-O', 'dtb', '-o', join(folder, 'c.dtb'), join(folder, 'c.dts')]);
    edited = join(folder, 'd.dtb');
    await writeFile(edited, emulatedDtb(await readFile(join(folder, 'c.dtb'))));
    expect(await get('/emulated-reboot', 'regmap', 'u')).toBe('8');
    expect(await get('/soc/watchdog@7e100000', 'phandle', 'u')).toBe('8');
  });
});

describe('the one-shot', () => {
  const UNRELATED = 'bcm2835_property: unhandled tag 0x00030066\n';
  const ASKED = `${UNRELATED}bcm2835_property: unhandled tag 0x00038064\n`;

  /** Boards of one card: what a board boots next, after a run in which QEMU wrote that log. */
  async function boards() {
    const workDir = await mkdtemp(join(folder, 'one-shot-'));
    const partitions = [CONTROL, slot('a'), slot('b')].map((files) => ({ size: 4, files }));
    const disk = await makeCard(folder, { partitions });
    return () => {
      const board = piBoard({ qemu: 'qemu-system-aarch64', disk, workDir });
      const next = async (log = ''): Promise<string | undefined> => {
        const { args } = await board.powerOn([]);
        await writeFile(join(workDir, 'qemu.log'), log);
        return /slot=(.)/.exec(args[args.indexOf('-append') + 1] ?? '')?.[1];
      };
      const initramfs = () => readFile(join(workDir, 'initramfs'), 'utf8');
      return { board, next, initramfs };
    };
  }

  test('counts for one boot, after the guest has asked its firmware for it', async () => {
    const { next, initramfs } = (await boards())();
    expect(await next(UNRELATED)).toBe('a');
    expect(await next(ASKED)).toBe('a');
    expect(await next()).toBe('b');
    expect(await initramfs()).toBe('initramfs b');
    expect(await next()).toBe('a');
  });

  test('is lost in a power cut', async () => {
    const switchOn = await boards();
    expect(await switchOn().next(ASKED)).toBe('a');
    expect(await switchOn().next()).toBe('a');
  });

  test('can be set by a test', async () => {
    const { board, next } = (await boards())();
    if (board.flags) board.flags.tryboot = true;
    expect(await next()).toBe('b');
    expect(await next()).toBe('a');
  });
});
