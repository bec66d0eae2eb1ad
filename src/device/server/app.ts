import type { ChildProcess } from 'node:child_process';
import type { Socket } from 'node:net';
import type { HearthdMessage } from '../../otp/channel.ts';
import { type ExitReason, isOrderly, Server } from '../../otp/index.ts';
import { type AppRunner, type AppState, createRunner, type RunnerOptions } from '../app/runner.ts';
import { refuse } from './control-socket.ts';

export interface AppEffects {
  spawn(): ChildProcess;
  killAll(pid: number): void;
  /** Milliseconds of a clock that never jumps. */
  now(): number;
  onState(state: AppState): void;
  onOutput(line: string): void;
  say(message: string): void;
}

/**
 * The app, kept running; ends by itself, in order, when the app has failed for good. The app's process does not outlive
 * this server, however that ends: the next one would start a second.
 */
export class ReleasedApp extends Server {
  #runner: AppRunner | undefined;
  #child: ChildProcess | undefined;

  override init(options: RunnerOptions, effects: AppEffects): void {
    // One that is killed does not get as far as `terminate`.
    this.signal.addEventListener('abort', () => {
      if (!this.self.alive && this.#child?.pid !== undefined) effects.killAll(this.#child.pid);
    });
    this.#runner = createRunner(options, {
      spawn: () => {
        this.#child = effects.spawn();
        return this.#child;
      },
      killAll: effects.killAll,
      now: effects.now,
      onState: (state) => {
        effects.onState(state);
        if (state.name === 'failed') this.stop('shutdown');
      },
      onOutput: effects.onOutput,
      onReport: effects.say,
      inTurn: (work) => this.continueWith(work),
    });
    this.#runner.start();
  }

  /** Gives a connection to the app, which serves the session itself: no byte of it passes through hearthd. */
  session(socket: Socket): void {
    const state = this.#runner?.state ?? { name: 'stopped' };
    const child = this.#child;
    if (!child?.connected || !['starting', 'healthy', 'unhealthy'].includes(state.name)) {
      refuse(socket, `the app does not run now: ${describeState(state)}`);
      return;
    }
    const message: HearthdMessage = { type: 'session' };
    child.send(message, socket, (error) => {
      if (error) socket.destroy();
    });
  }

  override async terminate(reason: ExitReason): Promise<void> {
    if (isOrderly(reason)) await this.#runner?.stop();
    else await this.#runner?.kill();
  }
}

function describeState(state: AppState): string {
  switch (state.name) {
    case 'waiting':
      return `${state.reason}; it is started again in a moment`;
    case 'failed':
      return state.reason;
    default:
      return `it is ${state.name}`;
  }
}
