import { mkdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { randomFrom } from '../../src/build/test-random.ts';
import type { DiskState } from '../../src/host/nbd/power-loss-disk.ts';
import { boardOf } from './board.ts';
import { Fleet } from './fleet.ts';
import { judge } from './judge.ts';
import { type Leg, Life, reach, type Scene, type SceneName } from './life.ts';
import { Rig } from './rig.ts';

export interface CutReport {
  scene: SceneName;
  /** After which of how many changes. */
  change: number;
  changes: number;
  /** What the cut did to the disk. */
  loss: string;
  /** What ran afterwards, or what went wrong. */
  came: string;
  /** Of each step. */
  seconds: Record<string, number>;
  ok: boolean;
  /** Where a failed one's disk and transcripts are. */
  kept: string | undefined;
}

export interface CampaignOptions {
  folder: string;
  /** Whose firmware, on whose board; default x86_64. */
  target?: string;
  /** Of each cut: its moment, and what it does to the disk. */
  seed: number;
  /** How many machines run side by side. */
  jobs: number;
  /** Whether the machines' clocks go by what they do: for a computer that has much else to do. Default false. */
  steady?: boolean;
  /** Told what is done, and what the machines print. */
  say?: (line: string) => void;
}

/** Every so many cuts the further update comes as a file over plain OpenSSH; else as `fw upload` sends it. */
const AS_FILE = 4;

/** Cuts, made one after the other by rigs side by side. The first plays the life that is cut, and then cuts as well. */
export class Campaign implements AsyncDisposable {
  readonly #options: CampaignOptions;
  readonly #fleet: Fleet;
  readonly #rigs: Rig[];
  readonly #life: Life;

  constructor(options: CampaignOptions) {
    const { folder, target = 'x86_64', jobs, steady = false, say = () => {} } = options;
    const board = boardOf(target);
    this.#options = options;
    this.#fleet = new Fleet(folder, board);
    this.#rigs = Array.from({ length: jobs }, (_, n) => {
      return new Rig(join(folder, `rig-${n}`), board, steady, (line) => say(` ${n}${line}`));
    });
    const [first] = this.#rigs;
    if (!first) throw new RangeError('no jobs');
    this.#life = new Life(this.#fleet, first, say);
  }

  /**
   * Begins to cut. Each report comes when it is made; all are rejected where the life does not go on even without a cut.
   * @param before cuts of this campaign that were made earlier: these go on behind them
   */
  start(scenes: readonly SceneName[], before = 0): Promise<CutReport>[] {
    const reports = scenes.map(() => Promise.withResolvers<CutReport>());
    const fail = (error: unknown): void => {
      for (const { reject } of reports) reject(error);
    };
    let next = 0;
    const work = async (rig: Rig): Promise<void> => {
      while (next < scenes.length) {
        const n = next++;
        const scene = scenes[n];
        if (scene !== undefined) reports[n]?.resolve(await this.#cut(rig, scene, before + n));
      }
    };
    const played = this.#life.play(scenes);
    for (const [n, rig] of this.#rigs.entries()) {
      void (n === 0 ? played.then(() => work(rig)) : work(rig)).catch(fail);
    }
    for (const { promise } of reports) promise.catch(() => {});
    return reports.map(({ promise }) => promise);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const rig of this.#rigs) await rig[Symbol.asyncDispose]();
  }

  /** Cuts the power in a scene, after a random change, and sees what becomes of the device. */
  async #cut(rig: Rig, name: SceneName, n: number): Promise<CutReport> {
    const scene = await this.#life.scene(name);
    const random = randomFrom(this.#options.seed + 7919 * n);
    // The first numbers of neighbouring seeds are alike.
    for (let spent = 0; spent < 8; spent++) random();
    rig.random = random;
    const change = 1 + Math.floor(random() * scene.changes);
    const seconds: Record<string, number> = {};
    let before = performance.now();
    const lap = (step: string): void => {
      const now = performance.now();
      seconds[step] = (now - before) / 1000;
      before = now;
    };
    const { leg, at } = legOf(scene, change);
    const report = { scene: name, change, changes: scene.changes, loss: 'none', seconds };
    let left: DiskState | undefined;
    try {
      report.loss = await cutDuring(rig, leg, at);
      const { image } = leg.from.saved;
      left = (await rig.disk(image)).disk.state();
      lap('to the cut');
      const how = {
        allowed: scene.allowed,
        asFile: rig.board.getsFiles && n % AS_FILE === 0,
        grows: GROWING.has(name),
      };
      const { came } = await judge(rig, this.#fleet, image, how, lap);
      return { ...report, came, ok: true, kept: undefined };
    } catch (error) {
      const kept = await this.#keep(rig, leg, left, n, error);
      return { ...report, came: (error as Error).message, ok: false, kept };
    }
  }

  /** What is wrong, the disk as the cut left it and as it is at the end, and what the machines printed since. */
  async #keep(rig: Rig, leg: Leg, left: DiskState | undefined, n: number, why: unknown): Promise<string> {
    const folder = join(tmpdir(), 'hearth-failed', `power-cut-${this.#options.seed}-${n + 1}`);
    await mkdir(folder, { recursive: true });
    await writeFile(join(folder, 'why.txt'), `${why instanceof Error ? why.stack : why}\n`);
    await rig.saveTranscripts(folder);
    await rig.stop();
    await rig.saveVars(folder);
    const { disk } = await rig.disk(leg.from.saved.image);
    await disk.save(join(folder, 'at-the-end.img'));
    if (left) {
      disk.restore(left);
      await disk.save(join(folder, 'after-the-cut.img'));
    }
    return folder;
  }
}

/** Whose /data is made or grows in them: it must fill the disk in the end. */
const GROWING: ReadonlySet<SceneName> = new Set(['first boot', 'growth']);

function legOf({ legs }: Scene, change: number): { leg: Leg; at: number } {
  let at = change;
  for (const leg of legs) {
    if (at <= leg.changes) return { leg, at };
    at -= leg.changes;
  }
  throw new RangeError(`no change ${change}`);
}

/** @returns what it did to the disk */
async function cutDuring(rig: Rig, leg: Leg, change: number): Promise<string> {
  const machine = await reach(rig, leg.from);
  const served = await rig.disk(leg.from.saved.image);
  const cut = served.cutPowerAfter(change);
  // It fails with the machine; what it does without the cut, the dry run has shown.
  const acted = leg.act(machine).catch(() => {});
  await Promise.race([cut, acted]);
  await machine.cutPower();
  await acted;
  return served.cuts.at(-1) ?? 'none';
}
