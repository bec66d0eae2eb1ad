import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Slot } from '../../archive/variants.ts';
import { type ServerRef, start } from '../../otp/index.ts';
import { bootSlot, firmware, flashed, type Machine, signer } from '../../update/test-machine.ts';
import { SimulatedDisk } from '../../update/test-simulated-disk.ts';
import type { AppState } from '../app/runner.ts';
import type { FirmwareInfo } from '../firmware-info.ts';
import { type Incoming, Update } from './server.ts';

const HEALTHY: AppState = { name: 'healthy', pid: 7 };
const RULES: FirmwareInfo['update'] = { healthySeconds: 0.05, trialSeconds: 600, validate: 'auto' };

let machine: Machine;
let said: string[];
let reboots: string[];
let server: ServerRef<Update>;
beforeEach(async () => {
  machine = { family: 'gpt', pages: await flashed('gpt', await firmware(1)), armed: undefined };
});
afterEach(down);

/** As the tree stops it when the machine goes down. */
async function down(): Promise<void> {
  server.exit('shutdown');
  await vi.waitFor(() => expect(server.alive).toBe(false), { timeout: 20_000, interval: 5 });
}

async function armed(slot: Slot): Promise<void> {
  machine.armed = slot;
}

interface Circumstances {
  rules?: typeof RULES;
  /** Already known to hearthd. */
  app?: AppState;
  /** When it last gave a sign; default: just now. */
  heard?: number;
  now?(): number;
  booted?: Slot;
  arm?(slot: Slot): Promise<void>;
  again?: boolean;
  disk?: SimulatedDisk;
}

/** hearthd comes up on the machine. */
async function boot(
  version: string,
  {
    rules = RULES,
    app,
    heard,
    now = () => performance.now(),
    booted = bootSlot(machine),
    arm = armed,
    again = false,
    disk = new SimulatedDisk(machine.pages),
  }: Circumstances = {},
): Promise<void> {
  [said, reboots] = [[], []];
  const options = {
    ...{ table: machine.family, booted, resetCause: 'reboot: test', version, rules },
    ...{ trustedKeys: [signer.publicKey], versionFloor: undefined },
    device: { product: 'hello', target: 'rpi3', arch: 'aarch64' as const },
  };
  server = await start(Update, {
    args: [
      options,
      {
        disk: async () => disk,
        oneShot: { arm },
        now,
        date: () => new Date('2026-11-21T00:00:00Z'),
        firstOfBoot: () => !again,
        reboot: (reason) => void reboots.push(reason),
        say: (message) => void said.push(message),
        appState: async () => app,
        appHeard: async () => heard ?? now(),
        turn: Promise.resolve(),
      },
    ],
  });
}

function incoming(fw: Buffer): Incoming {
  const source = (async function* () {
    yield fw;
  })();
  return { source, frames: false, via: 'ssh', send() {}, onProgress() {} };
}

async function installed(n: number): Promise<void> {
  await boot('1.1.0');
  expect(await server.call('receive', incoming(await firmware(n)))).toBe(`1.${n}.0`);
  await server.call('try');
  expect(said).toEqual([
    'an update comes by ssh',
    `update 1.${n}.0 staged in slot b: rebooting for its trial`,
  ]);
  await down();
}

const until = (look: () => void): Promise<void> => vi.waitFor(look, { timeout: 20_000, interval: 5 });

test('one that is healthy and reached stays', async () => {
  await installed(2);
  await boot('1.2.0');
  expect(await server.call('status')).toMatchObject({
    state: 'trial',
    trial: { healthy: false, reachable: false },
  });
  server.cast('app', HEALTHY);
  server.cast('reached', 'mqtt');
  expect(await server.call('status')).toMatchObject({ trial: { healthy: true, reachable: false } });
  server.cast('reached', 'ssh');
  await until(() => expect(said).toContain('validated: 1.2.0 (healthy for 0.05 s, and reached by ssh)'));
  expect(await server.call('status')).toMatchObject({
    state: 'idle',
    trial: undefined,
    last: { result: 'validated' },
  });
  await down();
  expect([bootSlot(machine), reboots]).toEqual(['b', []]);
});

test('where no one-shot can be armed it stays staged, and can be tried again', async () => {
  let broken = true;
  const arm = async (): Promise<void> => {
    if (broken) throw new Error('no variable');
  };
  await boot('1.1.0', { arm });
  await server.call('receive', incoming(await firmware(2)));
  await expect(server.call('try')).rejects.toThrow('no variable');
  expect(await server.call('status')).toMatchObject({ state: 'staged' });
  broken = false;
  await server.call('try');
  expect(await server.call('status')).toMatchObject({ state: 'trial', trial: undefined });
});

test('one whose app has failed goes, and the firmware before it says why', async () => {
  await installed(2);
  await boot('1.2.0');
  server.cast('reached', 'ssh');
  server.cast('app', { name: 'failed', reason: 'it exited with 1' });
  const why = 'the app has failed: it exited with 1';
  await until(() => expect(reboots).toEqual([`update reverted: ${why}`]));
  expect(said.at(-1)).toBe(`the trial of 1.2.0 has failed: ${why}. Rebooting into the firmware before it`);
  // On the way down it is not tried again.
  await down();
  expect(machine.armed).toBeUndefined();
  await boot('1.1.0');
  expect(await server.call('status')).toMatchObject({
    state: 'idle',
    last: { result: 'reverted', reason: why },
  });
  expect(said).toEqual([`reverted: 1.2.0 (${why})`]);
});

test('one that is healthy, and hangs from then on, does not stay: nobody has heard of it for long enough', async () => {
  await installed(2);
  const begun = performance.now();
  await boot('1.2.0', { heard: begun, app: HEALTHY });
  server.cast('reached', 'ssh');
  await until(() => expect(performance.now()).toBeGreaterThan(begun + 700));
  expect(await server.call('status')).toMatchObject({ state: 'trial' });
  server.cast('app', { name: 'failed', reason: 'its event loop stood still' });
  await until(() => expect(reboots).toHaveLength(1));
});

test('one that is never healthy goes when its time is over', async () => {
  await installed(2);
  await boot('1.2.0', { now: () => 600_000 });
  server.cast('reached', 'ssh');
  await until(() =>
    expect(reboots).toEqual([expect.stringContaining('not healthy for 0.05 s within 600 s')]),
  );
});

test('an orderly way down during the trial has it tried again, three times', async () => {
  await installed(2);
  for (const again of [true, true, true, false]) {
    await boot('1.2.0');
    await server.call('status');
    await down();
    expect(machine.armed).toBe(again ? 'b' : undefined);
    expect(said.includes('on trial: 1.2.0 is tried again after this reboot')).toBe(again);
  }
});

test('started anew in the middle of a trial it asks how the app is', async () => {
  await installed(2);
  await boot('1.2.0', { app: HEALTHY });
  server.cast('reached', 'ssh');
  await until(() => expect(said.at(-1)).toMatch(/^validated: 1\.2\.0/));
});

test('by hand: nothing else makes it permanent', async () => {
  await installed(2);
  await boot('1.2.0', { rules: { ...RULES, validate: 'manual' }, app: HEALTHY });
  server.cast('reached', 'ssh');
  expect(await server.call('status')).toMatchObject({ state: 'trial' });
  expect(said).toEqual(['on trial: 1.2.0, to be validated by hand within 600 s']);
  await server.call('validate', 'by hand');
  expect(await server.call('status')).toMatchObject({ state: 'idle', last: { reason: 'by hand' } });
});

test('a second sender is refused while the first one sends; what it began can be gone on with', async () => {
  await boot('1.1.0');
  const begun = Promise.withResolvers<void>();
  const end = Promise.withResolvers<void>();
  const fw = await firmware(2);
  const slow = (async function* () {
    yield fw.subarray(0, 1000);
    begun.resolve();
    await end.promise;
  })();
  const first = server.call('receive', { ...incoming(fw), source: slow });
  await begun.promise;
  await expect(server.call('receive', incoming(fw))).rejects.toThrow(
    expect.objectContaining({ code: 'update-busy' }),
  );
  end.resolve();
  await expect(first).rejects.toThrow(expect.objectContaining({ code: 'fw-truncated' }));
  expect(said.at(-1)).toMatch(/^update refused: /);
  expect(await server.call('receive', incoming(fw))).toBe('1.2.0');
});

test('nor does a second one begin while it is written down that the first is on trial', async () => {
  const disk = new SimulatedDisk(machine.pages);
  await boot('1.1.0', { disk });
  await server.call('receive', incoming(await firmware(2)));
  const [writing, goOn] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const write = disk.writeAlone.bind(disk);
  disk.writeAlone = async (offset, bytes) => {
    writing.resolve();
    await goOn.promise;
    await write(offset, bytes);
  };
  const tried = server.call('try');
  await writing.promise;
  await expect(server.call('receive', incoming(await firmware(3)))).rejects.toThrow(
    expect.objectContaining({ code: 'update-busy' }),
  );
  goOn.resolve();
  await tried;
  expect(await server.call('status')).toMatchObject({ state: 'trial' });
  await down();
  expect(bootSlot(machine)).toBe('b');
});

test('a disk that cannot be understood: updates are off, and nothing else happens', async () => {
  machine.pages.write(0, new Uint8Array(64 * 1024));
  machine.pages.write(machine.pages.size - 64 * 1024, new Uint8Array(64 * 1024));
  await boot('1.1.0', { booted: 'a' });
  await expect(server.call('status')).rejects.toThrow(expect.objectContaining({ name: 'FormatError' }));
  expect(said).toEqual([expect.stringMatching(/^updates are off: gpt: /)]);
});

test('a hearthd that was killed between arming the trial and the way down goes down when it is back', async () => {
  await installed(2);
  await boot('1.1.0', { booted: 'a', again: true });
  machine.armed = undefined;
  await until(() => expect(reboots).toEqual(['update to 1.2.0']));
  expect(machine.armed).toBe('b');
  expect(await server.call('status')).toMatchObject({ state: 'trial', trial: undefined });
  expect(said).toEqual([]);
});
