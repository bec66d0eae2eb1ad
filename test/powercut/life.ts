import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { writeImage } from '../../src/build/image.ts';
import type { Machine } from '../../src/host/machine.ts';
import { MiB } from '../../src/update/layout.ts';
import { BOOT, type Fleet, onTrial, READY, validate } from './fleet.ts';
import type { DiskImage, Rig, Saved } from './rig.ts';

const FIRST_SIZE = 1024 * MiB;
const GROWN_SIZE = 1536 * MiB;
export const OLD = '1.0.0';
/** Validated by hand: any session would be the proof of being reachable that a trial waits for, also the one that reverts. */
export const NEW = '1.1.0';
export const FURTHER = '1.2.0';

/** In the order of a life. */
export const SCENES = ['first boot', 'growth', 'upload', 'try', 'commit', 'revert'] as const;
export type SceneName = (typeof SCENES)[number];

type Act = (machine: Machine) => Promise<unknown>;

/** A part of a scene. A machine was saved before each, so that nothing but what is cut is played again. */
export interface Leg {
  from: Saved;
  act: Act;
  /** Writes, trims and flushes in it, as the dry run counted them. */
  changes: number;
}

/** What a device does while its power is cut. */
export interface Scene {
  legs: readonly Leg[];
  /** In all legs. */
  changes: number;
  /** The versions that may run afterwards. */
  allowed: readonly string[];
}

/** heart has mounted the root and hands over to hearthd: from power-on to here nothing is written. */
const STARTED = '[hearth] started hearthd';
const started: Act = (machine) => machine.console.waitFor(STARTED, BOOT);
const ready: Act = (machine) => machine.console.waitFor(READY, BOOT);

/** Of one product on one emulated board: it is played once without a cut, so that it can be played with cuts. */
export class Life {
  readonly #fleet: Fleet;
  readonly #rig: Rig;
  readonly #say: (line: string) => void;
  readonly #scenes = new Map(SCENES.map((name) => [name, Promise.withResolvers<Scene>()]));

  constructor(fleet: Fleet, rig: Rig, say: (line: string) => void) {
    this.#fleet = fleet;
    this.#rig = rig;
    this.#say = say;
    for (const { promise } of this.#scenes.values()) promise.catch(() => {});
  }

  /** Resolves when it has been played. */
  async scene(name: SceneName): Promise<Scene> {
    const scene = await this.#scenes.get(name)?.promise;
    if (!scene) throw new Error(`no scene ${name}`);
    return scene;
  }

  /** Builds the firmware and plays without a cut, as far as the scenes go, which counts what can be cut. */
  async play(scenes: readonly SceneName[]): Promise<void> {
    try {
      await this.#play(scenes);
    } catch (error) {
      for (const { reject } of this.#scenes.values()) reject(error);
      throw error;
    } finally {
      await this.#rig.stop();
    }
  }

  async #play(scenes: readonly SceneName[]): Promise<void> {
    await mkdir(this.#rig.folder, { recursive: true });
    for (const version of [OLD, NEW, FURTHER])
      await this.#fleet.build(version, version === NEW ? 'manual' : 'auto');
    const first = { file: join(this.#rig.folder, 'first.img'), size: FIRST_SIZE };
    await writeImage(this.#fleet.firmware(OLD).path, first.file);
    const machine = await this.#playFirstBoot(first);
    const idle = scenes.includes('growth')
      ? await this.#playGrowth(first, machine)
      : await this.#rig.save(machine, first);
    const last = Math.max(...scenes.map((name) => SCENES.indexOf(name)));
    if (last < SCENES.indexOf('upload')) return;
    const checking = await this.#playScene('upload', idle, [OLD], [(each) => this.#upload(each)]);
    if (last < SCENES.indexOf('try')) return;
    const trying = await this.#rig.save(checking, idle.image);
    const onceMore = await this.#playScene(
      'try',
      trying,
      [OLD, NEW],
      [started, (each) => onTrial(each, NEW)],
    );
    if (last === SCENES.indexOf('try')) return;
    await this.#fleet.listens(onceMore);
    const trial = await this.#rig.save(onceMore, idle.image);
    await this.#playScene('commit', trial, [OLD, NEW], [(each) => validate(this.#fleet, each, NEW)]);
    const revert: Act = async (each) => {
      await this.#fleet.must(each, 'revert');
      await started(each);
    };
    if (last > SCENES.indexOf('commit')) await this.#playScene('revert', trial, [OLD, NEW], [revert, ready]);
  }

  async #playFirstBoot(image: DiskImage): Promise<Machine> {
    const disk = (await this.#rig.disk(image)).disk.state();
    const off = { image, disk, vars: undefined, memory: undefined };
    const machine = await this.#playScene('first boot', off, [OLD], [started, ready]);
    await this.#idle(machine);
    return machine;
  }

  /** @returns the device afterwards, which has nothing to do */
  async #playGrowth(before: DiskImage, first: Machine): Promise<Saved> {
    await first.shell.send('kill -USR2 1');
    const { reason } = await first.exited;
    if (reason !== 'guest-shutdown') throw new Error(`it did not switch itself off: ${reason}`);
    const image = { file: join(this.#rig.folder, 'grown.img'), size: GROWN_SIZE };
    await (await this.#rig.disk(before)).disk.save(image.file);
    const off = await this.#rig.saveOff(image);
    const grown: Act = (each) => each.console.waitFor('[hearth] /data has grown with the disk', BOOT);
    const machine = await this.#playScene('growth', off, [OLD], [started, grown]);
    await this.#idle(machine);
    return this.#rig.save(machine, image);
  }

  /** @returns the machine at the end of it */
  async #playScene(
    name: SceneName,
    from: Saved,
    allowed: readonly string[],
    acts: readonly Act[],
  ): Promise<Machine> {
    const { disk } = await this.#rig.disk(from.image);
    const legs: Leg[] = [];
    let saved = from;
    let machine = await this.#rig.resume(from);
    for (const [n, act] of acts.entries()) {
      if (n > 0) {
        saved = await this.#rig.save(machine, from.image);
        machine = await this.#rig.resume(saved);
      }
      const before = disk.changes;
      await act(machine);
      legs.push({ from: saved, act, changes: disk.changes - before });
    }
    const changes = legs.reduce((sum, leg) => sum + leg.changes, 0);
    this.#say(`${name}: ${changes} changes`);
    this.#scenes.get(name)?.resolve({ legs, changes, allowed });
    return machine;
  }

  /** It has made its host key, and has nothing more to do. */
  async #idle(machine: Machine): Promise<void> {
    await this.#fleet.listens(machine);
    await this.#fleet.status(machine);
  }

  /** Until most of what was written has been read back: what follows is the trial. */
  async #upload(machine: Machine): Promise<void> {
    const nearly = Promise.withResolvers<void>();
    const onError = (text: string): void => void (text.includes('80 %') && nearly.resolve());
    void this.#fleet
      .ssh(machine, 'update', this.#fleet.firmware(NEW).path, onError)
      .then(
        ({ status, stderr }) => nearly.reject(new Error(`the update ended with ${status}: ${stderr}`)),
        nearly.reject,
      );
    await nearly.promise;
  }
}
