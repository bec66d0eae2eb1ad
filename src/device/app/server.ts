import type { ChildProcess } from 'node:child_process';
import type { DataState } from '../../otp/device.ts';
import { type ExitReason, isOrderly, Server, type ServerRef, Task } from '../../otp/index.ts';
import { dataMounted } from '../data/server.ts';
import { type AppRunner, type AppState, createRunner, type RunnerOptions } from './runner.ts';

export interface AppEffects {
  /**
   * A process of the app that waits before the app's first line.
   * @param aside while an app runs: what ends that one leaves the next one be
   */
  hold(aside?: boolean): ChildProcess;
  /** Lets it go on. */
  letGo(child: ChildProcess, data: DataState): void;
  /** Kills the app, held or not, and every process that it has started. */
  killAll(): void;
  /** Milliseconds of a clock that never jumps. */
  now(): number;
  onState(state: AppState): void;
  onOutput(line: string): void;
  say(message: string): void;
  /** Somebody debugs the app. */
  isDebugged(): boolean;
  /** The app runs: what would have slowed its start down may begin. */
  onItsWay(): void;
}

/**
 * The app: held ready, let go when /data is there, and kept running. Its process does not outlive this server, however
 * that ends: the next one would start a second.
 */
export class AppServer extends Server {
  #runner: AppRunner | undefined;
  #held: ChildProcess | undefined;
  #onItsWay = (): void => {};
  #data: DataState = 'volatile';
  #begun = false;
  #newRunner: (() => AppRunner) | undefined;
  /** The app is started anew again and again. */
  #isWorkedOn = false;

  override init(options: RunnerOptions, effects: AppEffects): void {
    // One that is killed does not get as far as `terminate`.
    this.signal.addEventListener('abort', () => {
      if (this.self.alive) return;
      effects.killAll();
      this.#takeHeld()?.kill('SIGKILL');
    });
    // Before all else: Node needs as long to come up as everything here together.
    this.#held = effects.hold();
    this.#onItsWay = effects.onItsWay;
    this.#newRunner = () => this.#createRunner(options, effects);
    this.#runner = this.#newRunner();
    const me: ServerRef<AppServer> = this.self;
    Task.async(async function app() {
      me.cast('begin', await dataMounted());
    });
  }

  #createRunner(options: RunnerOptions, effects: AppEffects): AppRunner {
    return createRunner(options, {
      spawn: () => {
        const child = this.#takeHeld() ?? effects.hold();
        effects.letGo(child, this.#data);
        return child;
      },
      // The end of an app whose server was killed comes when the next app may be there already.
      killAll: () => {
        if (this.self.alive) effects.killAll();
      },
      now: effects.now,
      onState: (state) => {
        effects.onState(state);
        // Node comes up while somebody thinks about the next change.
        if (state.name === 'healthy' && this.#isWorkedOn) this.#held ??= effects.hold(true);
      },
      onOutput: effects.onOutput,
      onReport: effects.say,
      isDebugged: effects.isDebugged,
      inTurn: (work) => this.continueWith(work),
    });
  }

  begin(data: DataState): void {
    this.#data = data;
    this.#begun = true;
    this.#runner?.start();
    this.#onItsWay();
  }

  /** When its event loop last gave a sign. */
  heard(): number | undefined {
    return this.#runner?.heard;
  }

  state(): AppState {
    return this.#runner?.state ?? { name: 'stopped' };
  }

  /**
   * Stops the app in order and starts it again, with whatever it is made of now; earlier failures are forgotten. Who asks for it
   * once will do so again: from now on the next process is always held ready.
   */
  async startAnew(): Promise<void> {
    // The first one may have been started for the firmware's own app, and lies where that one's end is its own.
    if (!this.#isWorkedOn) this.#takeHeld()?.kill('SIGKILL');
    this.#isWorkedOn = true;
    await this.#runner?.stop();
    this.#runner = this.#newRunner?.();
    if (this.#begun) this.#runner?.start();
  }

  override async terminate(reason: ExitReason): Promise<void> {
    this.#takeHeld()?.kill('SIGKILL');
    if (isOrderly(reason)) await this.#runner?.stop();
    else await this.#runner?.kill();
  }

  /** The process that was started ahead, if it still waits. */
  #takeHeld(): ChildProcess | undefined {
    const held = this.#held;
    this.#held = undefined;
    const waits = held?.pid !== undefined && held.exitCode === null && held.signalCode === null;
    return waits ? held : undefined;
  }
}
