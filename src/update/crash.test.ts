import { beforeAll, describe, expect, test } from 'vitest';
import { TARGET_CHUNK } from '../archive/cut.ts';
import { noise } from '../archive/test-firmware.ts';
import { seededRandom } from '../build/test-random.ts';
import type { Pages } from './pages.ts';
import { type Cut, cuts, unseen } from './test-cuts.ts';
import {
  boot,
  bootSlot,
  contentOf,
  type Family,
  firmware,
  flashed,
  install,
  type Machine,
} from './test-machine.ts';
import type { DiskEvent } from './test-simulated-disk.ts';
import type { Updater } from './updater.ts';

/** Ten thousand in a run of CI; HEARTH_CRASH_STATES, of each table, for more. Reading the tables of a GPT takes longer. */
const STATES: Record<Family, number> = { gpt: 3_000, mbr: 7_000 };
/** In one go: rounds of these until there are enough. */
const PER_MOMENT = 100;
const KiB = 1024;
const random = seededRandom('power cuts in an update');

/** Small, so that there can be many: of the root's two chunks one is the same in all. */
function small(n: number): Promise<Buffer> {
  const seam = TARGET_CHUNK / 2;
  const root = Buffer.concat([noise(seam, 'same'), noise(20 * KiB, `other ${n}`)]);
  return firmware(n, { root, rootSeams: [seam], bootSize: 4 * KiB });
}

let first: Buffer;
let second: Buffer;
let third: Buffer;
let fourth: Buffer;
beforeAll(async () => {
  [first, second, third, fourth] = await Promise.all([small(1), small(2), small(3), small(4)]);
});

/** What is remembered must be so, whatever the cut was: a slot that is said to be whole is whole. */
async function mustBeTrue(machine: Machine, updater: Updater): Promise<void> {
  const { slots, update } = updater.record;
  // The one that runs as well, so it is looked at below.
  expect(slots[updater.booted]).toBeDefined();
  for (const slot of ['a', 'b'] as const) {
    const said = slots[slot];
    if (said) expect(await contentOf(machine, slot)).toBe(said.version);
  }
  if (update && update.state !== 'receiving') expect(slots[update.into]?.version).toBe(update.version);
}

/** Boots until the machine is at rest: a trial ends well or badly, as it comes. */
async function settle(machine: Machine): Promise<{ version: string; updater: Updater }> {
  for (let boots = 0; boots < 3; boots++) {
    const version = await contentOf(machine, bootSlot({ ...machine }));
    const { updater } = await boot(machine, { resetCause: 'unknown (power loss, reset button or watchdog)' });
    await mustBeTrue(machine, updater);
    if (!updater.trial) return { version, updater };
    if (random() < 0.5) await updater.validate('healthy');
    else await updater.revert('the app has failed');
  }
  throw new Error('it is on trial again and again');
}

/** It must boot the old firmware or the new one, whole, and take a further update. */
async function mustLive(
  family: Family,
  { pages, armed, what }: Cut,
  allowed: readonly string[],
): Promise<void> {
  const machine: Machine = { family, pages, armed };
  try {
    const { version, updater } = await settle(machine);
    expect(allowed).toContain(version);
    expect(updater.running?.validated).toBe(true);
    await install(updater, third);
    await updater.try();
    const fresh = await boot(machine);
    expect(fresh.updater.trial).toBe(true);
    await fresh.updater.validate('healthy');
    expect(await contentOf(machine, bootSlot({ ...machine }))).toBe('1.3.0');
    expect((await boot(machine)).updater.record).toMatchObject({
      update: undefined,
      last: { result: 'validated', version: '1.3.0' },
    });
  } catch (error) {
    throw new Error(`${family}, ${what}: ${(error as Error).message}`, { cause: error });
  }
}

interface Scene {
  name: string;
  /** The versions that may run after a cut. */
  allowed: readonly string[];
  before: Pages;
  log: readonly DiskEvent[];
}

/** Everything that is written in the life of an update, a boot at a time, with the disk as it was before each. */
async function scenes(family: Family): Promise<Scene[]> {
  const all: Scene[] = [];
  const machine: Machine = { family, pages: await flashed(family, first), armed: undefined };
  let allowed = ['1.1.0', '1.2.0'];
  const scene = async (
    name: string,
    at: Machine,
    act: (booted: Awaited<ReturnType<typeof boot>>) => Promise<void>,
  ) => {
    const before = at.pages.copy();
    const booted = await boot(at);
    await act(booted);
    all.push({ name, allowed, before, log: [...booted.disk.log] });
  };
  const copy = (): Machine => ({ ...machine, pages: machine.pages.copy() });
  await scene('installing and trying', machine, async ({ updater }) => {
    await install(updater, second);
    await updater.try();
  });
  await scene('a reboot during the trial', copy(), async ({ updater }) => {
    expect(await updater.rearm()).toBe(true);
  });
  const validated = copy();
  await scene('the commit', validated, ({ updater }) => updater.validate('healthy'));
  const reverted = copy();
  await scene('giving up', reverted, ({ updater }) => updater.revert('the app has failed'));
  await scene('the boot after it', reverted, async ({ updater }) => {
    expect(updater.record.last?.result).toBe('reverted');
  });
  allowed = ['1.2.0', '1.4.0'];
  await scene('installing over what was validated once', validated, async ({ updater }) => {
    await install(updater, fourth);
    await updater.try();
  });
  return all;
}

describe.each(['gpt', 'mbr'] as const)('a power cut at any moment of an update (%s)', (family) => {
  test('leaves a machine that boots, old or new, and takes a further update (P1-P6, P9, P12)', async () => {
    const wanted = Number(process.env.HEARTH_CRASH_STATES ?? STATES[family]);
    const played = await scenes(family);
    const moments = played.reduce((sum, { log }) => sum + log.length + 1, 0);
    const isNew = unseen();
    let states = 0;
    while (states < wanted) {
      for (const { before, log, name, allowed } of played) {
        const options = { random, keepsArmed: family === 'gpt', perMoment: PER_MOMENT, isNew };
        for (const cut of cuts(before, log, options)) {
          await mustLive(family, { ...cut, what: `${name}, ${cut.what}` }, allowed);
          states++;
        }
      }
    }
    console.log(`${family}: ${states} different states after power cuts, at ${moments} moments`);
    expect(states).toBeGreaterThanOrEqual(wanted);
  }, 600_000);
});
