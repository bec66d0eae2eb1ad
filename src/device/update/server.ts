import { FwError } from '../../errors.ts';
import { type ExitReason, isOrderly, Server, type ServerRef, Task } from '../../otp/index.ts';
import type { Disk } from '../../update/disk.ts';
import { rebootInto, type State } from '../../update/machine.ts';
import type { UpdateRecord } from '../../update/record.ts';
import type { Updater, UpdaterParts } from '../../update/updater.ts';
import type { AppState } from '../app/runner.ts';
import type { FirmwareInfo } from '../firmware-info.ts';
import { STORY } from './story.ts';
import { verdictOf } from './verdict.ts';

export interface UpdateOptions extends Omit<UpdaterParts, 'disk' | 'oneShot' | 'now' | 'again'> {
  /** Of the firmware that runs. */
  version: string;
  rules: FirmwareInfo['update'];
}

export interface UpdateEffects extends Pick<UpdaterParts, 'oneShot'> {
  disk(): Promise<Disk>;
  /** Milliseconds since the kernel started: a hearthd that is started anew does not make a trial longer. */
  now(): number;
  date(): Date;
  /** Whether it is asked for the first time in this boot. */
  firstOfBoot(): boolean;
  reboot(reason: string): void;
  say(message: string): void;
  /** Undefined while nobody knows. For one that is started anew: changes are told by `app`. */
  appState(): Promise<AppState | undefined>;
  /** When the app last gave a sign, by `now`; undefined while nobody knows. */
  appHeard(): Promise<number | undefined>;
  /** Fulfilled when the app has come up, or has failed to. */
  turn: Promise<void>;
}

/** How a firmware comes: a plain file, or frames of src/update/transfer. */
export interface Incoming {
  source: AsyncIterable<Uint8Array>;
  frames: boolean;
  via: string;
  /** Back to the sender, frames only. */
  send(bytes: Uint8Array): void;
  onProgress(done: number, total: number): void;
}

export interface Trial {
  secondsLeft: number;
  reachable: boolean;
  healthy: boolean;
}

export interface UpdateStatus extends Pick<UpdateRecord, 'slots' | 'last'> {
  state: State;
  trial: Trial | undefined;
  floor: string | undefined;
}

/**
 * Updates: takes one in, has it tried, and decides about the system on trial. Needs the disk and nothing else: no /data, no
 * network, no app.
 */
export class Update extends Server {
  readonly #opened = Promise.withResolvers<Updater>();
  #updater: Updater | undefined;
  #options: UpdateOptions | undefined;
  #effects: UpdateEffects | undefined;
  #app: AppState = { name: 'stopped' };
  #healthySince: number | undefined;
  /** The links that somebody has come by. */
  readonly #reached = new Set<string>();
  #timer: Disposable | undefined;
  #busy = false;
  #last: Promise<unknown> = Promise.resolve();

  override init(options: UpdateOptions, effects: UpdateEffects): void {
    this.#options = options;
    this.#effects = effects;
    // Nobody may wait for it yet.
    this.#opened.promise.catch(() => {});
    const me: ServerRef<Update> = this.self;
    Task.async(async function update() {
      await effects.turn;
      const opened = await open(options, effects).catch(off);
      me.cast('begin', opened, await effects.appState());
    });
  }

  async begin(opened: Updater | FwError, app: AppState | undefined): Promise<void> {
    const { say } = this.#parts().effects;
    if (app) this.app(app);
    if (opened instanceof FwError) {
      say(STORY.off(opened.message));
      this.#opened.reject(opened);
      return;
    }
    const { rules, version } = this.#parts().options;
    this.#updater = opened;
    this.#opened.resolve(opened);
    if (opened.problem !== undefined) say(opened.problem);
    if (opened.isDue) await this.#goOn();
    if (!opened.trial) return;
    const { healthySeconds, trialSeconds, validate } = rules;
    say(
      validate === 'manual'
        ? STORY.manual(version, trialSeconds)
        : STORY.trial(version, healthySeconds, trialSeconds),
    );
    this.#look();
  }

  /** The app's state has changed. */
  app(state: AppState): void {
    const healthy = state.name === 'healthy';
    if (!healthy) this.#healthySince = undefined;
    else this.#healthySince ??= this.#parts().effects.now();
    this.#app = state;
    this.#look();
  }

  /** Somebody has come by this link. */
  reached(via: string): void {
    if (this.#reached.has(via)) return;
    this.#reached.add(via);
    this.#look();
  }

  status() {
    return this.later(
      this.#opened.promise.then((updater): UpdateStatus => {
        const { slots, last } = updater.record;
        return { state: updater.state, slots, last, floor: updater.floor, trial: this.#trial(updater) };
      }),
    );
  }

  /** Takes a firmware in. Afterwards it is staged. Gives its version. */
  receive(incoming: Incoming) {
    return this.later(this.#alone((updater) => this.#receive(updater, incoming)));
  }

  /** Has what is staged tried at the next boot. The caller reboots. */
  try() {
    return this.later(
      this.#alone(() =>
        this.#inTurn(async (updater) => {
          const { update } = updater.record;
          await updater.try();
          if (update) this.#parts().effects.say(STORY.staged(update.version, update.into));
        }),
      ),
    );
  }

  validate(reason: string) {
    return this.later(this.#inTurn((updater) => this.#validate(updater, reason)));
  }

  /** The caller reboots. */
  revert(reason: string) {
    return this.later(this.#inTurn((updater) => this.#revert(updater, reason)));
  }

  /** It is time to look at the trial. */
  override async info(): Promise<void> {
    await this.#inTurn(async (updater) => {
      const known = this.#facts(updater);
      if (!known) return;
      const { effects, options } = this.#parts();
      const facts = { ...known, heard: await effects.appHeard(), now: effects.now() };
      const verdict = verdictOf(facts, options.rules);
      this.#timer?.[Symbol.dispose]();
      if (verdict.kind === 'wait')
        this.#timer = this.sendAfter(Math.max(1, Math.ceil(verdict.at - facts.now)), 'look');
      else if (verdict.kind === 'validate') await this.#validate(updater, verdict.reason);
      else {
        await this.#revert(updater, verdict.reason);
        this.#parts().effects.reboot(`update reverted: ${verdict.reason}`);
      }
    });
  }

  override async terminate(reason: ExitReason): Promise<void> {
    const updater = this.#updater;
    if (!isOrderly(reason) || !updater) return;
    // An orderly way down; a system on trial is given another try.
    const again = await this.#inTurn(() => updater.rearm());
    if (again) this.#parts().effects.say(STORY.again(this.#parts().options.version));
  }

  #parts(): { options: UpdateOptions; effects: UpdateEffects } {
    if (!this.#options || !this.#effects) throw new Error('not started');
    return { options: this.#options, effects: this.#effects };
  }

  #look(): void {
    const me: ServerRef<Update> = this.self;
    if (this.#updater?.trial) me.send('look');
  }

  #facts(updater: Updater) {
    const { update } = updater.record;
    if (!updater.trial || !update || update.reason) return undefined;
    return {
      app: this.#app,
      healthySince: this.#healthySince,
      via: update.via,
      reachable: this.#reached.has(update.via),
    };
  }

  #trial(updater: Updater): Trial | undefined {
    const facts = this.#facts(updater);
    if (!facts) return undefined;
    const { trialSeconds } = this.#parts().options.rules;
    return {
      secondsLeft: Math.max(0, Math.ceil(trialSeconds - this.#parts().effects.now() / 1000)),
      reachable: facts.reachable,
      healthy: facts.healthySince !== undefined,
    };
  }

  async #receive(updater: Updater, { source, frames, via, send, onProgress }: Incoming): Promise<string> {
    const { say } = this.#parts().effects;
    try {
      say(STORY.coming(via));
      const { neverSilent, receiveFile, receiveFrames } = await import('../later.ts');
      const pieces = neverSilent(source);
      if (frames) await receiveFrames(pieces, updater, via, send);
      else await receiveFile(pieces, updater, via, onProgress);
      return updater.record.update?.version ?? '';
    } catch (error) {
      say(STORY.refused(error instanceof Error ? error.message : String(error)));
      throw error;
    }
  }

  /** The slot that does not run is one update's at a time, until the trial is armed. */
  async #alone<T>(work: (updater: Updater) => Promise<T>): Promise<T> {
    const updater = await this.#opened.promise;
    if (this.#busy) {
      throw new FwError('update-busy', 'another update is coming in right now', {
        expected: 'one update at a time',
        remedy: 'Wait for its end, or break it off there where it comes from.',
      });
    }
    this.#busy = true;
    try {
      return await work(updater);
    } finally {
      this.#busy = false;
    }
  }

  /** Whoever had it tried died before the machine was down, perhaps before the one-shot was armed. */
  async #goOn(): Promise<void> {
    const { reboot, say } = this.#parts().effects;
    try {
      await this.#inTurn((updater) => updater.try());
      reboot(rebootInto(this.#updater?.record.update?.version ?? ''));
    } catch (error) {
      say(STORY.refused((error as Error).message));
    }
  }

  async #validate(updater: Updater, reason: string): Promise<void> {
    await updater.validate(reason);
    this.#parts().effects.say(STORY.validated(this.#parts().options.version, reason));
  }

  async #revert(updater: Updater, reason: string): Promise<void> {
    await updater.revert(reason);
    this.#parts().effects.say(STORY.givingUp(this.#parts().options.version, reason));
  }

  /** What writes to the environment does so alone. */
  #inTurn<T>(work: (updater: Updater) => Promise<T>): Promise<T> {
    const result = this.#last.then(() => this.#opened.promise).then(work);
    this.#last = result.catch(() => {});
    return result;
  }
}

/** Says how the update before has ended, if that is seen only now. The engine is loaded here. */
async function open(options: UpdateOptions, effects: UpdateEffects): Promise<Updater> {
  const { EnvStore, Updater } = await import('../later.ts');
  const disk = await effects.disk();
  const before = (await EnvStore.open(disk)).record.update;
  const updater = await Updater.open({
    ...options,
    disk,
    oneShot: effects.oneShot,
    again: !effects.firstOfBoot(),
    now: effects.date,
  });
  const { last } = updater.record;
  if (before && !updater.record.update && last) effects.say(STORY[last.result](last.version, last.reason));
  return updater;
}

/** A disk that cannot be understood is no reason to have no device. */
function off(cause: unknown): FwError {
  if (cause instanceof FwError) return cause;
  return new FwError('updates-off', (cause as Error).message, {
    where: 'the disk',
    remedy: 'Look at the kernel log (dmesg): the disk may be failing.',
    cause,
  });
}
