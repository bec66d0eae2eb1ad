import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { BuildResult } from '../../src/build/firmware.ts';
import { writeImage } from '../../src/build/image.ts';
import type { Machine } from '../../src/host/machine.ts';
import { ServedDisk } from '../../src/host/nbd/served-disk.ts';
import { MiB } from '../../src/update/layout.ts';
import { planOf } from '../emulator/disk.ts';
import { run } from '../real/disk-file.ts';
import { Fleet } from './fleet.ts';
import { Rig, type Saved } from './rig.ts';
import { wholeSlot } from './slots.ts';

const BOOT = { timeoutMs: 240_000 };
const FIRST_SIZE = 2048 * MiB;
const GROWN_SIZE = 3072 * MiB;
const OLD = '1.0.0';
/** Validated by hand: any session would be the proof of being reachable that a trial waits for, also the one that reverts. */
const NEW = '1.1.0';
const FURTHER = '1.2.0';

/** In the order of a life. */
export const SCENES = ['first boot', 'growth', 'upload', 'try', 'commit', 'revert'] as const;
export type SceneName = (typeof SCENES)[number];

/** What a device does while its power is cut: from where, and until which moment. */
interface Scene {
  from: Saved;
  /** Goes to where the cut may come. */
  reach(machine: Machine): Promise<unknown>;
  /** Sets going what is cut; it ends when that is done, or fails with the machine. */
  act(machine: Machine): Promise<unknown>;
  /** Writes, trims and flushes in it, as the dry run counted them. */
  changes: number;
  /** The versions that may run afterwards. */
  allowed: readonly string[];
}

export interface CutReport {
  scene: SceneName;
  /** After which of how many changes. */
  change: number;
  changes: number;
  /** What the cut did to the disk. */
  loss: string;
  /** What ran afterwards, or what went wrong. */
  came: string;
  seconds: number;
  ok: boolean;
}

/** One product on one emulated board, whose life was played once without a cut, and can be played with cuts. */
export class Campaign implements AsyncDisposable {
  readonly #fleet: Fleet;
  readonly #rig: Rig;
  readonly #random: () => number;
  readonly #say: (line: string) => void;
  readonly #disks: ServedDisk[] = [];
  readonly #scenes = new Map<SceneName, Scene>();
  readonly #firmware = new Map<string, BuildResult>();

  private constructor(folder: string, random: () => number, say: (line: string) => void) {
    this.#fleet = new Fleet(folder);
    this.#rig = new Rig(folder, say);
    this.#say = say;
    this.#random = random;
  }

  /**
   * Builds the firmware and plays its life without a cut, as far as the scenes go, which counts what can be cut.
   * @param say told what is done, and what the machines print
   */
  static async prepare(
    folder: string,
    random: () => number,
    scenes: readonly SceneName[] = SCENES,
    say: (line: string) => void = () => {},
  ): Promise<Campaign> {
    const campaign = new Campaign(folder, random, say);
    try {
      await campaign.#play(folder, scenes);
    } catch (error) {
      await campaign[Symbol.asyncDispose]();
      throw error;
    }
    return campaign;
  }

  /** How many changes there are to cut at, by scene. */
  get changes(): [SceneName, number][] {
    return [...this.#scenes].map(([name, { changes }]) => [name, changes]);
  }

  /** Cuts the power in a scene, after a random change, and sees what becomes of the device. */
  async cut(name: SceneName): Promise<CutReport> {
    const scene = this.#scenes.get(name);
    if (!scene) throw new Error(`no scene ${name}`);
    const { served } = scene.from;
    const began = performance.now();
    const change = 1 + Math.floor(this.#random() * scene.changes);
    const machine = await this.#rig.resume(scene.from);
    await scene.reach(machine);
    const cut = served.cutPowerAfter(change);
    // It fails with the machine; what it does without the cut, the dry run has shown.
    const acted = scene.act(machine).catch(() => {});
    await Promise.race([cut, acted]);
    await machine.cutPower();
    await acted;
    const report = { scene: name, change, changes: scene.changes, loss: served.cuts.at(-1) ?? 'none' };
    const seconds = (): number => Math.round((performance.now() - began) / 1000);
    try {
      return { ...report, came: await this.#live(served, scene.allowed), seconds: seconds(), ok: true };
    } catch (error) {
      return { ...report, came: (error as Error).message, seconds: seconds(), ok: false };
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#rig.stop();
    for (const disk of this.#disks) await disk[Symbol.asyncDispose]();
  }

  async #play(folder: string, scenes: readonly SceneName[]): Promise<void> {
    for (const version of [OLD, NEW, FURTHER])
      this.#firmware.set(version, await this.#fleet.build(version, version === NEW ? 'manual' : 'auto'));
    await writeImage(this.#file(OLD), join(folder, 'first.img'));
    const first = await this.#open(join(folder, 'first.img'), FIRST_SIZE);
    const machine = await this.#playFirstBoot(first);
    const grows = scenes.includes('growth');
    const idle = grows ? await this.#playGrowth(first, machine) : await this.#rig.save(machine, first);
    const last = Math.max(...scenes.map((name) => SCENES.indexOf(name)));
    if (last < SCENES.indexOf('upload')) return;
    const trying = await this.#playUpload(idle);
    if (last < SCENES.indexOf('try')) return;
    const trial = await this.#playTrial(idle, trying);
    if (last > SCENES.indexOf('try')) await this.#playEnds(trial);
  }

  async #playFirstBoot(served: ServedDisk): Promise<Machine> {
    const from = { served, disk: served.disk.state(), vars: undefined, memory: undefined };
    const reach = (machine: Machine) => machine.console.waitFor('[hearth] making /data', BOOT);
    const act = (machine: Machine) => machine.console.waitFor(READY, BOOT);
    const machine = await this.#rig.resume(from);
    await reach(machine);
    const changes = await counted(served, () => act(machine));
    this.#add('first boot', { from, reach, act, changes, allowed: [OLD] });
    await this.#fleet.status(machine);
    return machine;
  }

  /** @returns the device afterwards, which has nothing to do */
  async #playGrowth(before: ServedDisk, first: Machine): Promise<Saved> {
    await this.#off(first);
    const image = join(this.#rig.folder, 'grown.img');
    await before.disk.save(image);
    const served = await this.#open(image, GROWN_SIZE);
    const from = await this.#rig.saveOff(served);
    const reach = async (): Promise<void> => {};
    const act = (machine: Machine) => machine.console.waitFor('[hearth] /data has grown with the disk', BOOT);
    const machine = await this.#rig.resume(from);
    const changes = await counted(served, () => act(machine));
    this.#add('growth', { from, reach, act, changes, allowed: [OLD] });
    await this.#fleet.status(machine);
    return this.#rig.save(machine, served);
  }

  /** @returns the device, which reads back what it has written */
  async #playUpload(from: Saved): Promise<Machine> {
    const act = (machine: Machine) => this.#send(machine, NEW).staged;
    const machine = await this.#rig.resume(from);
    const changes = await counted(from.served, () => this.#send(machine, NEW).nearlyRead);
    this.#add('upload', { from, reach: async () => {}, act, changes, allowed: [OLD] });
    return machine;
  }

  /** @returns the device on trial */
  async #playTrial(from: Saved, machine: Machine): Promise<Saved> {
    const reach = (again: Machine) => this.#send(again, NEW).nearlyRead;
    const act = (again: Machine) => this.#onTrial(again, NEW);
    const changes = await counted(from.served, () => act(machine));
    this.#add('try', { from, reach, act, changes, allowed: [OLD, NEW] });
    return this.#rig.save(machine, from.served);
  }

  async #playEnds(from: Saved): Promise<void> {
    const { served } = from;
    const commit = (machine: Machine) => this.#validate(machine, NEW);
    const revert = async (machine: Machine): Promise<void> => {
      await this.#fleet.must(machine, 'revert');
      await machine.console.waitFor(READY, BOOT);
    };
    for (const [name, act] of [
      ['commit', commit],
      ['revert', revert],
    ] as const) {
      const machine = await this.#rig.resume(from);
      const changes = await counted(served, () => act(machine));
      this.#add(name, { from, reach: async () => {}, act, changes, allowed: [OLD, NEW] });
    }
  }

  #send(machine: Machine, version: string): { nearlyRead: Promise<void>; staged: Promise<void> } {
    const nearly = Promise.withResolvers<void>();
    const staged = this.#fleet
      .ssh(machine, 'update', this.#file(version), (text) => {
        if (text.includes('90 %')) nearly.resolve();
      })
      .then(({ status, stderr }) => {
        if (status === 0) return;
        const error = new Error(`the update ended with ${status}: ${stderr}`);
        nearly.reject(error);
        throw error;
      });
    for (const each of [nearly.promise, staged]) each.catch(() => {});
    return { nearlyRead: nearly.promise, staged };
  }

  #add(name: SceneName, scene: Scene): void {
    this.#say(`${name}: ${scene.changes} changes`);
    this.#scenes.set(name, scene);
  }

  /** It must come up old or new, take a further update, and hold both whole; and its /data must be sound. */
  async #live(served: ServedDisk, allowed: readonly string[]): Promise<string> {
    const machine = await this.#rig.start(served);
    await machine.console.waitFor(READY, BOOT);
    const status = await this.#fleet.status(machine);
    if (!allowed.includes(status.version)) throw new Error(`${status.version} runs`);
    if (status.trial) await this.#validate(machine, status.version);
    await this.#update(machine, FURTHER);
    await this.#validate(machine, FURTHER);
    const slots = await Promise.all([wholeSlot(served, 'a'), wholeSlot(served, 'b')]);
    if (slots.toSorted().join() !== [status.version, FURTHER].join())
      throw new Error(`the slots hold ${slots.join(' and ')}`);
    await this.#off(machine);
    await this.#mustBeSound(served);
    return `${status.version}${status.trial ? ' on trial' : ''}`;
  }

  async #update(machine: Machine, version: string): Promise<void> {
    machine.console.skip();
    await this.#fleet.must(machine, 'update', this.#file(version));
    await this.#onTrial(machine, version);
  }

  async #onTrial(machine: Machine, version: string): Promise<void> {
    // In either order.
    const seen = (what: string | RegExp) => machine.console.waitFor(what, { ...BOOT, take: false });
    await Promise.all([seen(`[hearth] on trial: ${version}`), seen(READY)]);
    await this.#fleet.listens(machine);
  }

  async #validate(machine: Machine, version: string): Promise<void> {
    await this.#fleet.must(
      machine,
      version === NEW ? 'validate' : `reachable ${this.#firmware.get(version)?.uuid}`,
    );
    await machine.console.waitFor(`[hearth] validated: ${version}`, BOOT);
  }

  async #off(machine: Machine): Promise<void> {
    await machine.shell.send('kill -USR2 1');
    const { reason } = await machine.exited;
    if (reason !== 'guest-shutdown') throw new Error(`it did not switch itself off: ${reason}`);
  }

  async #mustBeSound(served: ServedDisk): Promise<void> {
    const image = join(this.#rig.folder, 'after.img');
    await served.disk.save(image);
    const { data } = await planOf('x86_64', image);
    const check = run('e2fsck', '-f', '-n', `${image}?offset=${data.offset}`);
    if (check.status !== 0) throw new Error(`/data is damaged: ${check.output}`);
  }

  #file(version: string): string {
    const firmware = this.#firmware.get(version);
    if (!firmware) throw new Error(`no firmware ${version}`);
    return firmware.path;
  }

  async #open(image: string, size: number): Promise<ServedDisk> {
    const folder = join(this.#rig.folder, `disk-${this.#disks.length}`);
    await mkdir(folder);
    const disk = await ServedDisk.open({ image, size, folder, random: this.#random });
    this.#disks.push(disk);
    return disk;
  }
}

async function counted(served: ServedDisk, act: () => Promise<unknown>): Promise<number> {
  const before = served.disk.changes;
  await act();
  return served.disk.changes - before;
}

const READY = /\[hearth\] ready /;
