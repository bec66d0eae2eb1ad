/** heart's pure parts, through test/probe.c: modules, the state record, frames, restarts, petting. */
import { execFileSync } from 'node:child_process';
import {
  constants,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { encodeEnv, pickEnv } from '../../../src/formats/ubootenv.ts';
import { ENV, HEART_STATE } from '../../../src/update/layout.ts';
import { buildProbe, run, scratch } from './programs.ts';

const folder = mkdtempSync(join(tmpdir(), 'heart-test-'));
let program = '';
beforeAll(() => {
  program = buildProbe(folder);
});
afterAll(() => rmSync(folder, { recursive: true }));

function probe(
  args: (string | number)[],
  options: { env?: NodeJS.ProcessEnv; input?: Uint8Array } = {},
): string {
  const { status, stdout, stderr } = run(program, args.map(String), options);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  return stdout;
}

test('values of the kernel command line and the boot file', () => {
  const line = 'quiet hearth.slot=a hearth.slotx=z panic=5 hearth.empty= gpt';
  const value = (key: string, size = 100, text = line) => probe(['value', text, key, size]).trim();
  expect(value('hearth.slot')).toBe('a');
  expect(value('hearth.empty')).toBe('');
  expect(value('slot')).toBe('(none)');
  expect(value('gpt')).toBe('(none)');
  expect(value('DISK', 100, 'SLOT=a\nDISK=/dev/vda\n')).toBe('/dev/vda');
  expect(value('panic', 1)).toBe('(none)');
});

test('CRC-32 is everybody’s', () => {
  expect(probe(['crc', 'hearth'])).toBe(`${crc32('hearth').toString(16).padStart(8, '0')}\n`);
});

describe('modules', () => {
  /** Loads stages of a load file on a machine with these modaliases. */
  function load(file: string, aliases: string[], stages: string[]): string[] {
    const root = scratch();
    for (const [i, alias] of aliases.entries()) {
      const device = join(root, 'bus/pci/devices', `0000:00:0${i}.0`);
      mkdirSync(device, { recursive: true });
      writeFileSync(join(device, 'modalias'), `${alias}\n`);
    }
    writeFileSync(join(root, 'load'), file);
    return probe(['modules', join(root, 'load'), join(root, 'bus'), ...stages])
      .trim()
      .split('\n');
  }
  const FILE = `# a comment
watchdog pci:v00008086d000025ABsv*sd*bc*sc*i* watchdog.ko,i6300esb.ko nowayout=1 heartbeat=30
watchdog platform:iTCO_wdt watchdog.ko,iTCO.ko
watchdog-fallback * watchdog.ko,softdog.ko nowayout=1
root * squashfs.ko
root virtio:d00000002v* virtio_blk.ko
short line`;
  const ESB = 'pci:v00008086d000025ABsv00001AF4sd00001100bc08sc80i00';

  test('only what the hardware asks for is loaded, in order, dependencies first, parameters to the last', () => {
    expect(load(FILE, [ESB], ['watchdog'])).toEqual([
      'watchdog.ko',
      'i6300esb.ko nowayout=1 heartbeat=30',
      'watchdog: 1',
    ]);
  });
  test('* is always wanted, and a file that is there already is not loaded again', () => {
    expect(load(FILE, [ESB], ['watchdog', 'watchdog-fallback']).slice(3)).toEqual([
      'softdog.ko nowayout=1',
      'watchdog-fallback: 1',
    ]);
  });
  test('a line is loaded once; hardware that shows up later is served by the next pass', () => {
    expect(
      load(FILE, [], ['root', 'root', '+acpi:PNP0A08:', '+virtio:d00000002v00001AF4', 'root', 'root']),
    ).toEqual(['squashfs.ko', 'root: 1', 'root: 0', 'virtio_blk.ko', 'root: 1', 'root: 0']);
  });
  test('a module that does not load does not keep the others out', () => {
    const { stdout, stderr } = (() => {
      const root = scratch();
      writeFileSync(join(root, 'load'), 'root * broken.ko\nroot * fine.ko');
      return run(program, ['modules', join(root, 'load'), join(root, 'none'), 'root']);
    })();
    expect(stdout).toBe('broken.ko\nfine.ko\nroot: 2\n');
    expect(stderr).toBe('heart: cannot load module broken.ko: Exec format error\n');
  });
  test('an empty load file asks for nothing', () => {
    expect(load('', [ESB], ['watchdog', 'root'])).toEqual(['watchdog: 0', 'root: 0']);
  });
});

describe('the state record', () => {
  const disk = () => {
    const file = join(scratch(), 'disk');
    writeFileSync(file, Buffer.alloc(HEART_STATE.offsets[1] + 4096));
    return file;
  };
  const write = (file: string, time: number, phase: number, reason: string) =>
    probe(['state-write', file, time, phase, 7, reason]);
  const read = (file: string, byWatchdog = 0) => probe(['state-read', file, byWatchdog]);
  const cause = (file: string, byWatchdog = 0) => /^cause=(.*)$/m.exec(read(file, byWatchdog))?.[1];
  const copyAt = (file: string, i: 0 | 1) =>
    readFileSync(file).subarray(HEART_STATE.offsets[i], HEART_STATE.offsets[i] + 512);
  const tear = (file: string, i: 0 | 1, from: number) => {
    const bytes = readFileSync(file);
    bytes.fill(0xee, HEART_STATE.offsets[i] + from, HEART_STATE.offsets[i] + 512);
    writeFileSync(file, bytes);
  };

  test('is laid out as state.h says', () => {
    const file = disk();
    write(file, 1_700_000_000, 2, 'reboot: Grüße');
    const copy = copyAt(file, 1);
    expect(copy.toString('latin1', 0, 8)).toBe('HEARTSTA');
    expect(copy.readUInt32LE(8)).toBe(1);
    expect(copy.readUInt32LE(12)).toBe(crc32(copy.subarray(16)));
    expect(copy.readBigUInt64LE(16)).toBe(1n);
    expect(copy.readBigInt64LE(24)).toBe(1_700_000_000n);
    expect(copy.readUInt32LE(32)).toBe(2);
    expect(copy.subarray(40, 104)).toEqual(Buffer.alloc(64, 7));
    expect(copy.toString('utf8', 104, 304).replace(/\0+$/, '')).toBe('reboot: Grüße');
    expect(copyAt(file, 0)).toEqual(Buffer.alloc(512));
  });

  test('the two copies are written in turn, and the newest counts', () => {
    const file = disk();
    for (let i = 1; i <= 3; i++) write(file, i, 2, `reboot: ${i}`);
    expect(read(file)).toContain('sequence=3 time=3');
    expect([copyAt(file, 0).readBigUInt64LE(16), copyAt(file, 1).readBigUInt64LE(16)]).toEqual([2n, 3n]);
  });

  test.each([0, 8, 12, 16, 100, 500])('a copy torn from byte %i on leaves the older one', (from) => {
    const file = disk();
    write(file, 1, 2, 'reboot: old');
    write(file, 2, 2, 'reboot: new');
    tear(file, 0, from);
    expect(cause(file)).toBe('reboot: old');
    write(file, 3, 2, 'reboot: after');
    expect(cause(file)).toBe('reboot: after');
  });

  test('with both copies torn it is as if there were none', () => {
    const file = disk();
    write(file, 1, 2, 'x');
    write(file, 2, 2, 'y');
    tear(file, 0, 300);
    tear(file, 1, 300);
    expect(read(file)).toContain('known=0 sequence=0');
    expect(cause(file)).toBe('first-boot');
  });

  test('a disk that ends before the record', () => {
    const file = join(scratch(), 'disk');
    writeFileSync(file, Buffer.alloc(1000));
    expect(cause(file)).toBe('first-boot');
  });

  test('a reason of any length is kept up to its 199 bytes', () => {
    const file = disk();
    write(file, 1, 2, 'r'.repeat(500));
    expect(cause(file)).toBe('r'.repeat(199));
  });

  test.each([
    [1, 0, 'unknown (power loss, reset button or watchdog)'],
    [1, 1, 'watchdog'],
    [2, 0, 'poweroff: night'],
    [2, 1, 'poweroff: night'],
    [3, 0, 'watchdog'],
  ])('phase %i with the hardware’s flag %i was: %s', (phase, byWatchdog, expected) => {
    const file = disk();
    write(file, 1, phase, 'poweroff: night');
    expect(cause(file, byWatchdog)).toBe(expected);
  });
});

describe('failures in a row', () => {
  const [READY, GAVE_UP, TRIED] = [1, 2, 4];
  const [RUNNING, DOWN, STARVED] = [1, 2, 3];
  /** Runs of a device: the hardware's word at its start, and how it ended. What each found at its start. */
  function runs(...each: [byWatchdog: number, bits: number, phase: number][]) {
    const file = join(scratch(), 'disk');
    writeFileSync(file, Buffer.alloc(HEART_STATE.offsets[1] + 4096));
    return each.map((run) => probe(['run', file, ...run]).trim());
  }
  const failures = (...each: [number, number, number][]) =>
    runs(...each).map((line) => Number(line.split(' ')[1]));

  test('are ends by the watchdog, by starving and by giving up', () => {
    expect(runs([0, 0, RUNNING], [1, 0, STARVED], [0, GAVE_UP, DOWN], [0, 0, RUNNING])).toEqual([
      '0 0 0',
      '1 1 0',
      '1 2 0',
      '1 3 0',
    ]);
  });
  test('are not power cuts, orderly ends, and ends of a run that was ready', () => {
    expect(
      failures([0, 0, RUNNING], [0, 0, RUNNING], [0, 0, DOWN], [1, READY, RUNNING], [1, 0, RUNNING]),
    ).toEqual([0, 0, 0, 0, 0]);
    expect(failures([0, READY, STARVED], [0, READY | GAVE_UP, DOWN], [0, 0, RUNNING])).toEqual([0, 0, 0]);
  });
  test('an orderly reboot between them neither counts nor forgets', () => {
    expect(failures([0, 0, STARVED], [0, 0, DOWN], [0, 0, STARVED], [0, 0, RUNNING])).toEqual([0, 1, 1, 2]);
  });
  test('end at 255, and that the other slot was tried is kept', () => {
    const last = runs([0, TRIED, STARVED], ...Array(256).fill([0, 0, STARVED])).at(-1);
    expect(last).toBe(`1 255 ${TRIED}`);
  });
  test('a record from before they were counted has none', () => {
    const file = join(scratch(), 'disk');
    const record = Buffer.alloc(512);
    record.write('HEARTSTA');
    record.writeUInt32LE(1, 8);
    record.writeBigUInt64LE(9n, 16);
    record.writeUInt32LE(STARVED, 32);
    record.writeUInt32LE(crc32(record.subarray(16)), 12);
    const disk = Buffer.alloc(HEART_STATE.offsets[1] + 4096);
    record.copy(disk, HEART_STATE.offsets[1]);
    writeFileSync(file, disk);
    expect(probe(['state-read', file, 0])).toContain('known=1 sequence=9');
    expect(probe(['run', file, 0, 0, DOWN])).toBe('1 1 0\n');
  });
});

describe('the environment', () => {
  const env = (flags: number, values: Record<string, string>) =>
    Buffer.from(encodeEnv({ flags, values: new Map(Object.entries(values)) }, ENV.size));
  function value(copies: [Buffer, Buffer], key: string) {
    const file = join(scratch(), 'disk');
    const disk = Buffer.alloc(HEART_STATE.offsets[1]);
    for (const [i, copy] of copies.entries()) copy.copy(disk, ENV.offsets[i]);
    writeFileSync(file, disk);
    return probe(['environment', file, key]).trim();
  }
  const torn = Buffer.alloc(ENV.size, 0xee);

  test('gives the variable of that very name', () => {
    const values = { 'a.fallback': '1', 'b.fallback': '0', b: 'x', 'b.fallbacks': '2', 'xb.fallback': '3' };
    const copies: [Buffer, Buffer] = [env(1, values), torn];
    for (const [key, text] of Object.entries(values)) expect(value(copies, key)).toBe(text);
    expect(value(copies, 'b.fall')).toBe('(none)');
    expect(value([env(1, { long: 'x'.repeat(255) }), torn], 'long')).toBe('x'.repeat(255));
    expect(value([env(1, { long: 'x'.repeat(256) }), torn], 'long')).toBe('(none)');
  });
  test.each([
    [1, 2],
    [2, 1],
    [255, 0],
    [0, 255],
    [254, 255],
    [7, 7],
    [128, 0],
  ])('of copies with the counters %i and %i the one counts that counts for hearthd', (a, b) => {
    const [first, second] = [env(a, { which: 'first' }), env(b, { which: 'second' })];
    expect(value([first, second], 'which')).toBe(pickEnv(first, second).values.get('which'));
  });
  test('a torn copy leaves the other one; two leave nothing', () => {
    const whole = env(1, { which: 'whole' });
    const half = Buffer.concat([env(2, { which: 'half' }).subarray(0, 512), torn.subarray(512)]);
    expect([value([whole, half], 'which'), value([half, whole], 'which')]).toEqual(['whole', 'whole']);
    expect(value([half, torn], 'which')).toBe('(none)');
    expect(value([Buffer.alloc(ENV.size), torn], 'which')).toBe('(none)');
  });
  test('variables up to the last byte, without an end', () => {
    const full = Buffer.alloc(ENV.size, 'x');
    full.writeUInt32LE(crc32(full.subarray(5)), 0);
    expect(value([full, torn], 'which')).toBe('(none)');
  });
});

describe('frames', () => {
  const frame = (op: number, payload = '') => {
    const head = Buffer.from([0, 0, op]);
    head.writeUInt16BE(payload.length + 1);
    return head.toString('latin1') + payload;
  };
  /** What came of a stream of bytes, written at once or in the given pieces. */
  const receive = (bytes: string) => {
    const done = run(program, ['frames'], { input: Buffer.from(bytes, 'latin1') });
    expect(done.status).toBe(0);
    return { ops: done.stdout.trim().split('\n'), answers: done.stderr };
  };

  test('several in one read', () => {
    expect(receive(frame(2) + frame(4, 'abc') + frame(6) + frame(5) + frame(3)).ops).toEqual([
      '2 0',
      '4 3',
      '6 3',
      '5 0',
      '3 0',
    ]);
  });
  test('SET_CMD and CLEAR_CMD are answered by ACK, GET_CMD by the command', () => {
    expect(receive(frame(4, 'abc') + frame(6) + frame(5)).answers).toBe(
      frame(1) + frame(7, 'abc') + frame(1),
    );
  });
  test('an empty frame and one that is cut short are nothing', () => {
    expect(receive(`\0\0${frame(2)}\0\x09\x04ab`).ops).toEqual(['2 0']);
  });
  test('one that is too long is skipped whole', () => {
    expect(receive(frame(4, 'b'.repeat(2048)) + frame(2)).ops).toEqual(['2 0']);
    expect(receive(frame(4, 'b'.repeat(60_000)) + frame(2)).ops).toEqual(['2 0']);
    expect(receive(frame(4, 'b'.repeat(2047)) + frame(2)).ops).toEqual(['4 2047', '2 2047']);
  });
});

describe('restarts', () => {
  const delays = (...at: number[]) =>
    probe(['restarts', ...at])
      .trim()
      .split('\n')
      .map(Number);
  test('come at once, then after 1, 2, 4, 8 s; the sixth within 120 s is one too many', () => {
    expect(delays(0, 10, 20, 30, 40, 50)).toEqual([0, 1000, 2000, 4000, 8000, -1]);
  });
  test('are forgotten after 120 s', () => {
    expect(delays(0, 10, 119_999, 120_000, 120_010)).toEqual([0, 1000, 2000, 2000, 2000]);
    expect(delays(0, 200_000, 400_000)).toEqual([0, 0, 0]);
  });
});

describe('petting', () => {
  function pets(fake: string, ...at: number[]) {
    const fifo = join(scratch(), 'watchdog0');
    execFileSync('mkfifo', [fifo]);
    const reader = openSync(fifo, constants.O_RDONLY | constants.O_NONBLOCK);
    const said = probe(['watchdog', fifo, ...at], { env: { FAKE_WATCHDOG: fake } }).trim();
    const bytes = Buffer.alloc(100);
    return { said, pets: bytes.toString('latin1', 0, readSync(reader, bytes)) };
  }
  test('starts at once and comes at a third of what the driver grants', () => {
    expect(pets('15 0 bcm2835', 4999, 5000, 5001, 9999, 10_000)).toEqual({
      said: 'open=1 every=5000 caused_reset=0 identity=bcm2835',
      pets: '\0\0\0',
    });
  });
  test('no more is granted than was asked for, and a card reset is told', () => {
    expect(pets('600 0x20 i6300ESB timer').said).toBe(
      'open=1 every=10000 caused_reset=1 identity=i6300ESB timer',
    );
  });
  test('a late tick pets once, not once for each that was missed', () => {
    expect(pets('15 0 x', 60_000, 60_001).pets).toBe('\0\0');
  });
  test('a driver without ioctls gets what we would have asked for', () => {
    expect(pets('', 9999, 10_000)).toEqual({
      said: 'open=1 every=10000 caused_reset=0 identity=unnamed',
      pets: '\0\0',
    });
  });
  test('without a watchdog nothing is due', () => {
    expect(probe(['watchdog', join(scratch(), 'none'), 100_000])).toBe(
      'open=0 every=0 caused_reset=0 identity=\n',
    );
  });
});
