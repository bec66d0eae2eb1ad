import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { writeImage } from '../../src/build/image.ts';
import type { Machine } from '../../src/host/machine.ts';
import { MiB } from '../../src/update/layout.ts';
import { BOOT, type Fleet, onTrial, READY, validate } from './fleet.ts';
import type { DiskImage, Rig, Saved } from './rig.ts';

/** A Raspberry Pi's model has cards of a power of two of bytes only. */
const FIRST_SIZE = 1024 * MiB;
const GROWN_SIZE = 2048 * MiB;
export const OLD = '1.0.0';
/** Validated by hand: any session would be the proof of being reachable that a trial waits for, also the one that reverts. */
export const NEW = '1.1.0';
export const FURTHER = '1.2.0';

/** In the order of a life. */
export const SCENES = ['first boot', 'growth', 'upload', 'try', 'commit', 'revert'] as const;
export type SceneName = (typeof SCENES)[number];

type Act = (machine: Machine) => Promise<unknown>;

/** A machine as it was saved, and what it has done since: nothing, where it can be saved while it runs. */
export interface Moment {
  saved: Saved;
  since: readonly Act[];
}

/** A part of a scene. Where a machine can be saved, it was saved before each, so that nothing but what is cut is played again. */
export interface Leg {
  from: Moment;
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

/** A machine that is where one was once. */
export async function reach(rig: Rig, { saved, since }: Moment): Promise<Machine> {
  const machine = await rig.resume(saved);
  for (const act of since) await act(machine);
  return machine;
}

/** Of one product on one emulated board: it is played once without a cut, so that it can be played with cuts. */
export class Life {
  readonly #fleet: Fleet;
  readonly #rig: Rig;
  readonly #say: (line: string) => void;
  readonly #scenes = new Map(SCENES.map((name) => [name, Promise.withResolvers<Scene>()]));
  /** The last moment that was marked, the machine that goes on from there, and what it has done since. */
  #marked: { moment: Moment; machine: Machine; since: Act[] } | undefined;

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
    const last = Math.max(...scenes.map((name) => SCENES.indexOf(name)));
    const ends = (name: SceneName): boolean => last < SCENES.indexOf(name);
    await mkdir(this.#rig.folder, { recursive: true });
    for (const version of [OLD, NEW, FURTHER])
      await this.#fleet.build(version, version === NEW ? 'manual' : 'auto');

    const first = { file: join(this.#rig.folder, 'first.img'), size: FIRST_SIZE };
    await writeImage(this.#fleet.firmware(OLD).path, first.file);
    const { disk } = await this.#rig.disk(first);
    const off = { image: first, disk: disk.state(), vars: undefined, memory: undefined };
    await this.#goTo({ saved: off, since: [] });
    await this.#playScene('first boot', [OLD], [started, ready]);
    if (scenes.includes('growth')) {
      await this.#do((each) => this.#idle(each));
      await this.#goTo({ saved: await this.#grow(first), since: [] });
      const grown: Act = (each) => each.console.waitFor('[hearth] /data has grown with the disk', BOOT);
      await this.#playScene('growth', [OLD], [started, grown]);
    }
    if (ends('upload')) return;
    await this.#rest();
    await this.#playScene('upload', [OLD], [(each) => this.#upload(each)]);
    if (ends('try')) return;
    await this.#playScene('try', [OLD, NEW], [started, (each) => onTrial(each, NEW)]);
    if (ends('commit')) return;
    await this.#do((each) => this.#fleet.listens(each));
    const trial = await this.#mark();
    await this.#playScene('commit', [OLD, NEW], [(each) => validate(this.#fleet, each, NEW)]);
    if (ends('revert')) return;
    await this.#goTo(trial);
    const revert: Act = async (each) => {
      await this.#fleet.must(each, 'revert');
      await started(each);
    };
    await this.#playScene('revert', [OLD, NEW], [revert, ready]);
  }

  async #playScene(name: SceneName, allowed: readonly string[], acts: readonly Act[]): Promise<void> {
    const legs: Leg[] = [];
    for (const act of acts) {
      const from = await this.#mark();
      const { disk } = await this.#rig.disk(from.saved.image);
      const before = disk.changes;
      await this.#do(act);
      legs.push({ from, act, changes: disk.changes - before });
    }
    const changes = legs.reduce((sum, leg) => sum + leg.changes, 0);
    this.#say(`${name}: ${changes} changes`);
    this.#scenes.get(name)?.resolve({ legs, changes, allowed });
  }

  get #now() {
    if (!this.#marked) throw new Error('it has not begun');
    return this.#marked;
  }

  async #goTo(moment: Moment): Promise<void> {
    this.#marked = { moment, machine: await reach(this.#rig, moment), since: [] };
  }

  async #do(act: Act): Promise<void> {
    const { machine, since } = this.#now;
    await act(machine);
    since.push(act);
  }

  /** @returns now, to come back to */
  async #mark(): Promise<Moment> {
    const { moment, machine, since } = this.#now;
    const { image } = moment.saved;
    if (since.length === 0) return moment;
    if (this.#rig.board.isSavable)
      await this.#goTo({ saved: await this.#rig.save(machine, image), since: [] });
    else this.#marked = { moment: { ...moment, since: [...moment.since, ...since] }, machine, since: [] };
    return this.#now.moment;
  }

  /** It has nothing more to do, and what follows does not begin with what was. */
  async #rest(): Promise<void> {
    await this.#do((each) => this.#idle(each));
    if (this.#rig.board.isSavable) return;
    await this.#powerOff();
    await this.#goTo({ saved: await this.#rig.saveOff(this.#now.moment.saved.image), since: [] });
    await this.#do(ready);
    await this.#do((each) => this.#idle(each));
  }

  async #powerOff(): Promise<void> {
    const { machine } = this.#now;
    await machine.shell.send('kill -USR2 1');
    const { reason } = await machine.exited;
    if (reason !== 'guest-shutdown') throw new Error(`it did not switch itself off: ${reason}`);
  }

  /** @returns the device, off, on a larger disk */
  async #grow(before: DiskImage): Promise<Saved> {
    await this.#powerOff();
    const image = { file: join(this.#rig.folder, 'grown.img'), size: GROWN_SIZE };
    await (await this.#rig.disk(before)).disk.save(image.file);
    return this.#rig.saveOff(image);
  }

  /** It has made its host key, and has nothing more to do. */
  async #idle(machine: Machine): Promise<void> {
    await this.#fleet.listens(machine);
    await this.#fleet.status(machine);
  }

  /** Until most of what was written has been read back: what follows is the trial. */
  async #upload(machine: Machine): Promise<void> {
    const nearly = Promise.withResolvers<void>();
    if (!this.#rig.board.getsFiles) {
      const onChecked = (share: number): void => void (share >= 0.8 && nearly.resolve());
      void this.#fleet.send(machine, NEW, onChecked).then(nearly.resolve, nearly.reject);
      return nearly.promise;
    }
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
