import { beforeAll, describe, expect, test } from 'vitest';
import { TARGET_CHUNK } from '../archive/cut.ts';
import { readFirmware } from '../archive/read.ts';
import { noise } from '../archive/test-firmware.ts';
import type { Slot } from '../archive/variants.ts';
import type { Installation } from './installation.ts';
import { FATES } from './machine.ts';
import { Failing } from './test-failing-disk.ts';
import * as machines from './test-machine.ts';
import { SimulatedDisk } from './test-simulated-disk.ts';
import type { Updater, UpdaterParts } from './updater.ts';

type Underway = keyof typeof FATES;
const STATES = ['receiving', 'staged', 'trial'] as const satisfies readonly Underway[];
const PLACES = ['entering', 'inside', 'leaving'] as const;

/** A chunk that all have, so that there is something to copy, and one of each firmware's own. */
function small(n: number): Promise<Buffer> {
  const root = Buffer.concat([noise(TARGET_CHUNK, 'same'), noise(9_000, `other ${n}`)]);
  return machines.firmware(n, { root, bootSize: 4_096 });
}

let first: Buffer;
let second: Buffer;
let third: Buffer;
beforeAll(async () => {
  [first, second, third] = await Promise.all([small(1), small(2), small(3)]);
});

/** A machine that an update is on its way to. */
class Device {
  readonly failing = new Failing();
  readonly #machine: machines.Machine;
  #updater: Updater | undefined;
  #slot: Slot = 'a';
  #installation: Installation | undefined;

  constructor(machine: machines.Machine) {
    this.#machine = machine;
  }

  static async flashed(family: machines.Family): Promise<Device> {
    const device = new Device({ family, pages: await machines.flashed(family, first), armed: undefined });
    await device.boot('first-boot');
    return device;
  }

  get updater(): Updater {
    if (!this.#updater) throw new Error('it is off');
    return this.#updater;
  }

  async boot(resetCause: string): Promise<void> {
    this.#slot = machines.bootSlot(this.#machine);
    await this.#start({ resetCause });
  }

  /** hearthd was killed. heart starts it anew, but for a system on trial. */
  async startAnew(): Promise<void> {
    if (this.updater.trial) await this.boot('reboot: hearthd was ended by signal 9');
    else await this.#start({ again: true });
  }

  async #start(parts: Partial<UpdaterParts>): Promise<void> {
    const arm = async (slot: Slot): Promise<void> => {
      this.failing.step();
      this.#machine.armed = slot;
    };
    const own = { disk: this.failing.disk(new SimulatedDisk(this.#machine.pages)), oneShot: { arm } };
    this.#updater = (await machines.boot(this.#machine, { ...own, booted: this.#slot, ...parts })).updater;
  }

  async begin(): Promise<void> {
    for await (const event of readFirmware([second], this.updater.reading))
      if (event.type === 'manifest') this.#installation = await this.updater.begin(event.head, 'ssh');
  }

  async put(): Promise<void> {
    for await (const event of readFirmware([second], this.updater.reading))
      if (event.type !== 'manifest')
        await this.#installation?.put(event.payload.name, event.chunkIndex, event.bytes);
  }

  async complete(): Promise<void> {
    if (!this.#installation) throw new Error('it has not begun');
    await this.updater.complete(this.#installation);
  }

  /** Whatever state it is in, what is under way can be brought to an end, and then a further update. */
  async mustGoOn(): Promise<void> {
    if (this.updater.isDue) {
      await this.updater.try();
      await this.boot('reboot: update to 1.2.0');
      expect(this.updater.trial).toBe(true);
    }
    if (this.updater.trial) await this.updater.validate('healthy');
    await machines.install(this.updater, third);
    await this.updater.try();
    await this.boot('reboot: update to 1.3.0');
    expect(this.updater.trial).toBe(true);
    await this.updater.validate('healthy');
    expect(await machines.contentOf(this.#machine, machines.bootSlot(this.#machine))).toBe('1.3.0');
  }
}

interface Step {
  /** The states that it leads into, happens in, and leads out of. */
  entering?: Underway;
  inside?: Underway;
  leaving?: Underway;
  act(device: Device): Promise<unknown>;
}

/** The life of an update, with an orderly reboot during its trial. */
const STEPS: readonly Step[] = [
  { entering: 'receiving', act: (device) => device.begin() },
  { inside: 'receiving', act: (device) => device.put() },
  { leaving: 'receiving', entering: 'staged', act: (device) => device.complete() },
  {
    inside: 'staged',
    act: ({ updater }) => updater.readRunning('root', { offset: 0, length: 512 }),
  },
  { leaving: 'staged', entering: 'trial', act: ({ updater }) => updater.try() },
  { act: (device) => device.boot('reboot: update to 1.2.0') },
  { inside: 'trial', act: ({ updater }) => updater.rearm() },
  { act: (device) => device.boot('reboot: signal 15') },
  { leaving: 'trial', act: ({ updater }) => updater.validate('healthy') },
];

/** Plays the life up to a step, of which one operation fails. */
async function upTo(step: Step, family: machines.Family, at: number, kind: 'error' | 'killed') {
  const device = await Device.flashed(family);
  for (const before of STEPS.slice(0, STEPS.indexOf(step))) await before.act(device);
  device.failing.begin(at, kind);
  const failed = await step.act(device).then(
    () => false,
    (error: Error) => /^(input\/output error|killed)$/.test(error.message) || Promise.reject(error),
  );
  const { count } = device.failing;
  device.failing.begin(Infinity, kind);
  return { device, failed, count };
}

const cases = STATES.flatMap((state) =>
  (['error', 'killed'] as const).flatMap((kind) => PLACES.map((place) => ({ state, kind, place }))),
);

describe.each(['gpt', 'mbr'] as const)('an update (%s)', (family) => {
  test.each(cases)(
    '$kind $place $state: what is remembered is one of its fates, and a further update succeeds',
    async ({ state, kind, place }) => {
      const step = STEPS.find((each) => each[place] === state);
      if (!step) throw new Error('no step');
      const { count, failed } = await upTo(step, family, Infinity, kind);
      expect(failed).toBe(false);
      expect(count).toBeGreaterThan(0);
      const found = new Set<string>();
      for (let at = 1; at <= count; at++) {
        const played = await upTo(step, family, at, kind);
        expect(played.failed).toBe(true);
        const { device } = played;
        if (kind === 'killed') await device.startAnew();
        found.add(device.updater.state);
        await device.mustGoOn();
      }
      // All of them, and no other: a fate that never comes is not one.
      expect([...found].sort()).toEqual([...FATES[state][kind][place]].sort());
    },
  );
});
