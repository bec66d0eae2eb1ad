import { join } from 'node:path';
import type { Case } from './cases.ts';
import { Device, type Target } from './device.ts';
import { type Built, Forge, type Recipe } from './forge.ts';
import type { Outcome } from './trial.ts';

export interface Report extends Outcome {
  name: string;
  title: string;
  target: Target;
  seconds: number;
  ok: boolean;
}

const FIRST = '1.0.0';
const TAIL_LINES = 60;

/** One device after the other, each as long as it is well, and the cases that they are given. */
export class Campaign implements AsyncDisposable {
  readonly #folder: string;
  readonly #target: Target;
  readonly #forge: Forge;
  readonly #first: Built;
  readonly #say: (line: string) => void;
  /** The end of what the console of the last device showed that went wrong. */
  tail = '';
  #device: Device | undefined;
  #devices = 0;
  #built = 0;

  private constructor(
    folder: string,
    target: Target,
    forge: Forge,
    first: Built,
    say: (line: string) => void,
  ) {
    this.#folder = folder;
    this.#target = target;
    this.#forge = forge;
    this.#first = first;
    this.#say = say;
  }

  /** @param say told what is done, and what the machines print */
  static async prepare(
    folder: string,
    target: Target,
    say: (line: string) => void = () => {},
  ): Promise<Campaign> {
    const forge = await Forge.open(join(folder, `forge-${target}`), target);
    return new Campaign(folder, target, forge, await forge.build(FIRST), say);
  }

  async play({ name, title, play, last }: Case): Promise<Report> {
    const device = await this.#ready();
    this.#say(`${name}: ${title}`);
    const began = performance.now();
    const about = { name, title, target: this.#target };
    const seconds = (): number => Math.round((performance.now() - began) / 1000);
    const { boots } = device;
    const build = (recipe: Recipe): Promise<Built> => this.#forge.build(`2.0.${this.#built++}`, recipe);
    try {
      const outcome = await play({ device, forge: this.#forge, build });
      if (last) await this.#retire();
      return { ...about, ...outcome, seconds: seconds(), ok: true };
    } catch (error) {
      this.tail = device.machine.console.tail(TAIL_LINES);
      // Whatever it is now, the next case begins with one that is well.
      await this.#retire();
      const reason = (error as Error).message;
      return { ...about, boots: device.boots - boots, reason, seconds: seconds(), ok: false };
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#retire();
  }

  async #ready(): Promise<Device> {
    if (this.#device) return this.#device;
    const folder = join(this.#folder, `${this.#target}-${++this.#devices}`);
    this.#device = await Device.flash(this.#target, folder, this.#forge, this.#first, this.#say);
    await this.#device.status();
    return this.#device;
  }

  async #retire(): Promise<void> {
    const device = this.#device;
    this.#device = undefined;
    await device?.[Symbol.asyncDispose]();
  }
}
