import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { BuildResult } from '../../src/build/firmware.ts';
import type { ImageResult } from '../../src/build/image.ts';
import { loadTarget } from '../../src/build/targets.ts';
import { ENV, MiB } from '../../src/update/layout.ts';
import { run } from './disk-file.ts';
import { copyHello, fw, fwJson, UMASK_077 } from './fw.ts';

/** `fw image`, judged by sfdisk, sgdisk, fsck.fat, mtools, fw_printenv, objdump and cmp. */
let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'hearth-image-'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

function judge(program: string, ...args: string[]): string {
  const { status, output } = run(program, ...args);
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${status}\n${output}`);
  return output;
}

interface Partition {
  start: number;
  size: number;
  type: string;
  name?: string;
}
interface Made {
  firmware: BuildResult;
  image: ImageResult;
  label: string;
  id: string;
  partitions: Partition[];
  payload(name: string): string;
}

async function make(target: string, size: string[] = []): Promise<Made> {
  const app = await copyHello(join(dir, target));
  const out = join(dir, `${target}.fw`);
  const firmware = await fwJson<BuildResult>(['build', '--app', app, '--target', target, '--out', out]);
  const image = await fwJson<ImageResult>(['image', out, '-o', join(dir, `${target}.img`), ...size]);
  const { partitiontable } = JSON.parse(judge('sfdisk', '--json', image.path));
  judge('tar', '-xf', out, '-C', join(dir, target));
  const payload = (name: string): string => join(dir, target, 'payload', name);
  return { firmware, image, ...partitiontable, payload };
}

/** A partition's bytes, in a file of their own. */
function extract(made: Made, index: number): string {
  const { start, size } = made.partitions[index] ?? { start: 0, size: 0 };
  const path = join(dir, `${made.firmware.target}-p${index + 1}`);
  judge(
    'dd',
    `if=${made.image.path}`,
    `of=${path}`,
    'bs=512',
    `skip=${start}`,
    `count=${size}`,
    'conv=sparse',
    'status=none',
  );
  return path;
}

/** A file of a FAT partition, as mtools reads it. */
function fatFile(partition: string, path: string): string {
  const copy = join(dir, 'copied-out');
  judge('mcopy', '-n', '-o', '-i', partition, `::${path}`, copy);
  return copy;
}

function expectEnvironment({ image, firmware }: Made): void {
  const config = join(dir, 'fw_env.config');
  const lines = ENV.offsets.map((at) => `${image.path} 0x${at.toString(16)} 0x${ENV.size.toString(16)}\n`);
  writeFileSync(config, lines.join(''));
  const values = judge('fw_printenv', '-c', config).trim().split('\n').sort();
  expect(values).toEqual([
    'a.fallback=1',
    'a.product=hello',
    `a.target=${firmware.target}`,
    `a.uuid=${firmware.uuid}`,
    'a.validated=1',
    'a.version=1.0.0',
    'active=a',
  ]);
}

/** Slot a holds the root payload from its first byte, and in its last MiB how the .fw begins; slot b and the data partition nothing. */
function expectSlots(made: Made, a: number, b: number, data: number): void {
  const slot = extract(made, a);
  judge('cmp', '-n', String(statSync(made.payload('root')).size), made.payload('root'), slot);
  const area = readFileSync(slot).subarray(-MiB);
  expect(area.toString('latin1', 0, 8)).toBe('HEARTHSH');
  const head = area.subarray(44, 44 + area.readUInt32LE(8));
  expect(readFileSync(made.firmware.path).subarray(0, head.length).equals(head)).toBe(true);
  expect(head.includes(made.firmware.uuid)).toBe(true);
  for (const empty of [b, data]) {
    const path = extract(made, empty);
    judge('cmp', '-n', String(statSync(path).size), path, '/dev/zero');
  }
}

describe.each(['x86_64', 'qemu_arm64'] as const)('the disk of %s', (name) => {
  let made: Made;
  let esp: string;
  beforeAll(async () => {
    made = await make(name);
    esp = extract(made, 0);
  });

  test('is told in JSON', () => {
    expect(made.image).toEqual({
      path: join(dir, `${name}.img`),
      size: statSync(made.image.path).size,
      written: expect.any(Number),
      uuid: made.firmware.uuid,
      version: '1.0.0',
      target: name,
      signer: {
        comment: 'hearth-example-key everybody-has-it',
        fingerprint: expect.stringMatching(/^SHA256:/),
      },
    });
    // A sparse file: what is empty takes no room.
    expect(statSync(made.image.path).blocks * 512).toBeLessThan(2 * made.firmware.size);
  });

  test('has a GPT in which sgdisk and sfdisk find nothing wrong', async () => {
    expect(judge('sgdisk', '-v', made.image.path)).toContain('No problems found');
    expect(judge('sfdisk', '--verify', made.image.path)).toContain('No errors detected');
    const { target } = await loadTarget(name);
    if (target.boot.family !== 'uefi') throw new Error(`${name} does not boot by UEFI`);
    const LINUX = '0FC63DAF-8483-4772-8E79-3D69D8477DE4';
    const sectors = (bytes: number): number => bytes / 512;
    expect(made.label).toBe('gpt');
    expect(made.partitions).toMatchObject([
      {
        name: 'hearth-esp',
        type: 'C12A7328-F81F-11D2-BA4B-00A0C93EC93B',
        size: sectors(target.boot.espSize),
      },
      { name: 'hearth-state', start: sectors(1 * MiB), size: sectors(15 * MiB) },
      { name: 'hearth-root-a', type: LINUX, size: sectors(target.rootSlotSize) },
      { name: 'hearth-root-b', type: LINUX, size: sectors(target.rootSlotSize) },
      { name: 'hearth-data', type: LINUX, size: sectors(64 * MiB) },
    ]);
  });

  test('has an ESP that fsck.fat finds sound, with the boot loader and one sector of configuration', async () => {
    expect(judge('fsck.fat', '-n', '-v', esp)).toMatch(/2 FATs, 32 bit entries/);
    const { target } = await loadTarget(name);
    if (target.boot.family !== 'uefi') throw new Error(`${name} does not boot by UEFI`);
    judge('cmp', fatFile(esp, target.boot.loaderPath), made.payload('loader'));
    const conf = fatFile(esp, 'loader/loader.conf');
    expect(statSync(conf).size).toBe(512);
    expect(judge('cat', conf)).toMatch(/^default slot-a\.efi$/m);
  });

  test('has both kernel images in one piece, of the size that they keep for life', async () => {
    const { target } = await loadTarget(name);
    const { slotSize } = target.boot;
    for (const slot of ['a', 'b']) {
      const path = `EFI/Linux/slot-${slot}.efi`;
      // `::/EFI/Linux/slot-a.efi <2-4097>`: one range of clusters is one piece.
      expect(judge('mshowfat', '-i', esp, `::${path}`).trim()).toMatch(/^::\/\S+ <\d+-\d+>$/);
      expect(statSync(fatFile(esp, path)).size).toBe(slotSize);
    }
    judge('cmp', '-n', String(slotSize), fatFile(esp, 'EFI/Linux/slot-b.efi'), '/dev/zero');
  });

  test('has a kernel image that binutils read, with the command line of this firmware', () => {
    const uki = fatFile(esp, 'EFI/Linux/slot-a.efi');
    const [prefix, format] =
      name === 'x86_64' ? ['', 'pei-x86-64'] : ['aarch64-linux-gnu-', 'pei-aarch64-little'];
    expect(judge(`${prefix}objdump`, '--headers', uki)).toContain(`file format ${format}`);
    const cmdline = join(dir, 'cmdline');
    judge(`${prefix}objcopy`, '-O', 'binary', '--dump-section', `.cmdline=${cmdline}`, uki, '/dev/null');
    const words = judge('cat', cmdline).replace(/\0+$/, '').split(' ');
    expect(words).toContain(`hearth.uuid=${made.firmware.uuid}`);
    expect(words).toContain(`hearth.target=${name}`);
    expect(words.filter((word) => word.startsWith('hearth.slot'))).toEqual([]);
  });

  test('has an environment that fw_printenv reads: slot a, validated', () => expectEnvironment(made));
  test('has the root in slot a, and nothing in slot b and data', () => expectSlots(made, 2, 3, 4));
});

describe('the disk of rpi3', () => {
  let made: Made;
  let control: string;
  let boot: string;
  beforeAll(async () => {
    made = await make('rpi3');
    [control, boot] = [extract(made, 0), extract(made, 1)];
  });

  test('has an MBR in which sfdisk finds nothing wrong, with the signature that heart looks for', async () => {
    expect(judge('sfdisk', '--verify', made.image.path)).toContain('No errors detected');
    const { target } = await loadTarget('rpi3');
    if (target.boot.family !== 'pi') throw new Error('rpi3 is no Pi');
    const sectors = (bytes: number): number => bytes / 512;
    expect([made.label, made.id]).toEqual(['dos', '0x48545248']);
    // Type 0x0c throughout: a Pi 3's ROM reads no other.
    expect(made.partitions).toMatchObject([
      { type: 'c', start: sectors(16 * MiB), size: sectors(target.boot.controlSize) },
      { type: 'c', size: sectors(target.boot.slotSize) },
      { type: 'c', size: sectors(target.boot.slotSize) },
      { type: 'f' },
      { type: '83', size: sectors(target.rootSlotSize) },
      { type: '83', size: sectors(target.rootSlotSize) },
      { type: '83', size: sectors(64 * MiB) },
    ]);
  });

  test('has a control partition as the ROM wants it: FAT16, bootcode.bin, autoboot.txt, config.txt', () => {
    expect(judge('fsck.fat', '-n', '-v', control)).toMatch(/2 FATs, 16 bit entries/);
    const names = judge('mdir', '-b', '-i', control, '::').trim().split('\n').sort();
    expect(names).toEqual(['::/autoboot.txt', '::/bootcode.bin', '::/config.txt']);
    judge('cmp', fatFile(control, 'bootcode.bin'), made.payload('loader'));
    const autoboot = fatFile(control, 'autoboot.txt');
    expect(statSync(autoboot).size).toBe(512);
    expect(judge('cat', autoboot).trimEnd()).toBe(
      '[all]\ntryboot_a_b=1\nboot_partition=2\n[tryboot]\nboot_partition=3',
    );
    expect(statSync(fatFile(control, 'config.txt')).size).toBe(0);
  });

  test('has a boot partition that fsck.fat finds sound, with firmware, kernel and device trees', () => {
    judge('fsck.fat', '-n', boot);
    const names = judge('mdir', '-b', '-i', boot, '::').trim().split('\n').sort();
    expect(names).toEqual(
      [
        ...['bcm2837-rpi-3-a-plus.dtb', 'bcm2837-rpi-3-b-plus.dtb', 'bcm2837-rpi-3-b.dtb', 'cmdline.txt'],
        ...['config.txt', 'fixup.dat', 'initramfs.img', 'kernel8.img', 'start.elf'],
      ].map((name) => `::/${name}`),
    );
    // The firmware unpacks gzip; what is inside is an arm64 kernel ("ARMd" at byte 56).
    const kernel = judge('sh', '-c', `gzip -dc '${fatFile(boot, 'kernel8.img')}' | head -c 60 | tail -c 4`);
    expect(kernel).toBe('ARMd');
    expect(judge('fdtget', '-t', 's', fatFile(boot, 'bcm2837-rpi-3-b.dtb'), '/', 'compatible')).toContain(
      'raspberrypi,3-model-b',
    );
  });

  test('has the command line of slot a, of this firmware', () => {
    const words = judge('cat', fatFile(boot, 'cmdline.txt')).trim().split(' ');
    expect(words).toContain('hearth.slot=a');
    expect(words).toContain(`hearth.uuid=${made.firmware.uuid}`);
    expect(words).toContain('console=ttyS1,115200');
  });

  test('has an environment that fw_printenv reads: slot a, validated', () => expectEnvironment(made));
  test('has the root in slot a, and nothing in slot b and data', () => expectSlots(made, 4, 5, 6));
});

describe('fw image', () => {
  beforeAll(async () => {
    await make('rpi3');
  });
  const firmware = (): string => join(dir, 'rpi3.fw');
  const image = (): string => join(dir, 'other.img');

  test('makes the same image of the same firmware', async () => {
    await fwJson(['image', firmware(), '-o', image()], { env: { TZ: 'Asia/Tokyo' }, within: UMASK_077 });
    judge('cmp', image(), join(dir, 'rpi3.img'));
  });

  test('of a size fills it with the data partition', async () => {
    const { size } = await fwJson<ImageResult>(['image', firmware(), '-o', image(), '--size', '4 GiB']);
    expect([size, statSync(image()).size]).toEqual([4 * 1024 * MiB, 4 * 1024 * MiB]);
    expect(judge('sfdisk', '--verify', image())).toContain('No errors detected');
    const { partitiontable } = JSON.parse(judge('sfdisk', '--json', image()));
    const data = partitiontable.partitions.at(-1) as Partition;
    expect((data.start + data.size) * 512).toBeGreaterThan(size - 2 * MiB);
  });

  test('B4: of a size that is too small says by how much, and makes nothing', async () => {
    rmSync(image(), { force: true });
    const { code, stdout } = await fw(['image', firmware(), '-o', image(), '--size', '100MiB', '--json']);
    const least = statSync(join(dir, 'rpi3.img')).size;
    expect(code).toBe(1);
    expect(JSON.parse(stdout).error).toMatchObject({
      code: 'disk-too-small',
      message: expect.stringContaining(`${least - 100 * MiB} bytes too small for rpi3`),
    });
    expect(readdirSync(dir).filter((name) => name.startsWith('other'))).toEqual([]);
  });

  test.each([
    ['is not there', () => join(dir, 'gone.fw')],
    ['is no firmware', () => firmware().replace('.fw', '.img')],
    [
      'was cut short',
      () => {
        const cut = join(dir, 'cut.fw');
        judge('cp', firmware(), cut);
        truncateSync(cut, 30 * MiB);
        return cut;
      },
    ],
    [
      'was changed',
      () => {
        const changed = join(dir, 'changed.fw');
        judge('cp', firmware(), changed);
        judge(
          'dd',
          `of=${changed}`,
          'if=/dev/urandom',
          'bs=1',
          'count=8',
          `seek=${30 * MiB}`,
          'conv=notrunc',
          'status=none',
        );
        return changed;
      },
    ],
  ])('of a file that %s fails, and makes nothing', async (_what, file) => {
    rmSync(image(), { force: true });
    const { code, stderr } = await fw(['image', file(), '-o', image()]);
    expect(code, stderr).toBe(1);
    expect(stderr).not.toContain('internal error');
    expect(stderr).toMatch(/where:|do:/);
    expect(readdirSync(dir).filter((name) => name.startsWith('other'))).toEqual([]);
  });
});
