import type { ChildProcess } from 'node:child_process';
import { type AppMessage, type HearthdMessage, parseAppMessage } from '../../otp/channel.ts';
import { type End, explainEnd, isConfigRefused, type Phase } from './failure.ts';
import { type Output, readOutput } from './output.ts';
import { decide, type RestartLimits, recentEnds } from './policy.ts';

export type AppState =
  | { name: 'stopped' }
  /** Started, and not yet healthy for the first time. */
  | { name: 'starting'; pid: number }
  | { name: 'healthy'; pid: number }
  | { name: 'unhealthy'; pid: number; reason: string }
  /** Between an end and the next start. */
  | { name: 'waiting'; reason: string; delayMs: number }
  /** Given up: too many restarts, or a configuration that is `refused` at each. Stays so until the next boot or update. */
  | { name: 'failed'; reason: string; refused?: true }
  | { name: 'stopping'; pid: number };

export interface RunnerOptions extends RestartLimits {
  /** An event loop silent for so long is hung; also how long the app may stay unhealthy. */
  beatTimeoutMs: number;
  /** From the spawn to `run()`: importing may take long on a slow board, but not for ever. */
  startTimeoutMs: number;
  stopTimeoutMs: number;
}

export interface RunnerEffects {
  /** Starts the app with stdio `['ignore', 'pipe', 'pipe', 'ipc']`. */
  spawn(): ChildProcess;
  /** Kills the app and every process that it has started. Called after each end, for its orphans. */
  killAll(pid: number): void;
  /** Milliseconds of a clock that never jumps. */
  now(): number;
  onState(state: AppState): void;
  /** A line that the app wrote. */
  onOutput(line: string): void;
  /** Something that a person should read. */
  onReport(message: string): void;
  /** Somebody debugs the app: that it stands still is meant so. The default is never. */
  isDebugged?(): boolean;
  /** Where what happens to the app is dealt with: a server's next turn. The default is at once. Not asked while the app stops. */
  inTurn?(work: () => void): void;
}

export interface AppRunner {
  readonly state: AppState;
  /** When the app that runs last proved that its event loop turns, by `effects.now`; undefined while none runs. */
  readonly heard: number | undefined;
  start(): void;
  /** Stops the app in order, by force after `stopTimeoutMs`. Resolves when none of its processes is left. */
  stop(): Promise<void>;
  /** Ends the app now, and never starts it again. Resolves when none of its processes is left. */
  kill(): Promise<void>;
}

/** From the end of the process to the end of its pipes, at most. */
const CLOSE_TIMEOUT_MS = 2_000;

/** One run of the app, from its spawn to its end. */
interface Run {
  child: ChildProcess;
  pid: number;
  phase: Phase;
  /** When the app last proved that its event loop turns. */
  heard: number;
  /** Since when it has said that it is unhealthy. */
  unhealthySince: number | undefined;
  /** Why hearthd killed it, if it did. */
  killed: string | undefined;
  ended: Promise<void>;
}

/** Runs the app and keeps it running: hang detection, restarts with back-off, a limit, and an orderly stop. */
export function createRunner(options: RunnerOptions, effects: RunnerEffects): AppRunner {
  let state: AppState = { name: 'stopped' };
  let run: Run | undefined;
  let ends: number[] = [];
  let restart: NodeJS.Timeout | undefined;
  let stopping = false;

  const inTurn = (work: () => void): void => {
    if (effects.inTurn && !stopping) effects.inTurn(work);
    else work();
  };
  const enter = (next: AppState): void => {
    state = next;
    effects.onState(next);
  };

  function start(): void {
    restart = undefined;
    const child = effects.spawn();
    const { promise: ended, resolve } = Promise.withResolvers<void>();
    const now = effects.now();
    const current: Run = {
      child,
      pid: child.pid ?? 0,
      phase: 'import',
      heard: now,
      unhealthySince: undefined,
      killed: undefined,
      ended,
    };
    run = current;
    const output =
      child.stdout && child.stderr ? readOutput(child.stdout, child.stderr, effects.onOutput) : undefined;
    const watch = watchHang(current);
    child.on('message', (raw) => {
      const message = parseAppMessage(raw);
      if (message) inTurn(() => run === current && hear(current, message));
    });

    let over = false;
    const finish = (end: End): void => {
      if (over) return;
      over = true;
      clearInterval(watch);
      // Here and not in its turn: who stops the app waits for this, and takes no turns any more.
      resolve();
      inTurn(() => {
        run = undefined;
        afterEnd(current, end, output);
      });
    };
    child.on('error', (error) => {
      // Also emitted when a message cannot be sent; only a child without a pid was never started.
      if (child.pid === undefined) finish({ kind: 'spawn', reason: error.message });
    });
    child.on('exit', (code, signal) => {
      // What the app has started holds its pipes open and its devices busy.
      if (child.pid !== undefined) effects.killAll(child.pid);
      const close = (): void => finish(endOf(current, code, signal));
      child.once('close', close);
      // A process that escaped killAll, or that the kernel cannot kill yet, may hold a pipe open.
      setTimeout(close, CLOSE_TIMEOUT_MS).unref();
      // Reading may be paused by the flood cap; 'close' comes only when all is read.
      child.stdout?.resume();
      child.stderr?.resume();
    });
    if (child.pid !== undefined) enter({ name: 'starting', pid: child.pid });
  }

  function hear(current: Run, message: AppMessage): void {
    current.heard = effects.now();
    switch (message.type) {
      case 'started':
        current.phase = 'start';
        return;
      case 'beat':
        return;
      case 'health':
        if (stopping) return;
        if (message.ok) {
          current.phase = 'up';
          current.unhealthySince = undefined;
          if (state.name !== 'healthy') enter({ name: 'healthy', pid: current.pid });
        } else {
          if (current.unhealthySince === undefined)
            effects.onReport(`the app is unhealthy: ${message.reason}`);
          current.unhealthySince ??= current.heard;
          enter({ name: 'unhealthy', pid: current.pid, reason: message.reason });
        }
    }
  }

  function watchHang(current: Run): NodeJS.Timeout {
    const everyMs = Math.max(20, Math.floor(options.beatTimeoutMs / 5));
    let checked = effects.now();
    const look = (): void => {
      const now = effects.now();
      const late = now - checked > 2 * everyMs;
      checked = now;
      // hearthd itself stood still (stopped, or starved): the app's beats are still in the socket, unread.
      if (late) current.heard = now;
      if (effects.isDebugged?.()) {
        current.heard = now;
        if (current.unhealthySince !== undefined) current.unhealthySince = now;
      }
      if (stopping || current.killed !== undefined) return;
      const limit =
        current.phase === 'import'
          ? Math.max(options.startTimeoutMs, options.beatTimeoutMs)
          : options.beatTimeoutMs;
      if (now - current.heard > limit) {
        killRun(
          current,
          current.phase === 'import'
            ? `it did not call run() of hearthfw within ${limit} ms; call run() at the end of its entry file`
            : `its event loop stood still for ${limit} ms`,
        );
      } else if (
        current.unhealthySince !== undefined &&
        now - current.unhealthySince > options.beatTimeoutMs
      ) {
        killRun(current, `it stayed unhealthy: ${state.name === 'unhealthy' ? state.reason : ''}`);
      }
    };
    return setInterval(inTurn, everyMs, look);
  }

  function killRun(current: Run, reason: string): void {
    current.killed = reason;
    effects.killAll(current.pid);
  }

  function afterEnd(current: Run, end: End, output: Output | undefined): void {
    if (stopping) {
      enter({ name: 'stopped' });
      return;
    }
    const now = effects.now();
    ends = recentEnds([...ends, now], now, options);
    const reason = explainEnd(end, current.phase, output?.tail() ?? []);
    const refused = isConfigRefused(end, current.phase);
    const decision = refused ? ({ kind: 'give-up' } as const) : decide(ends, now, options);
    if (decision.kind === 'give-up') {
      effects.onReport(reason);
      enter({ name: 'failed', reason, ...(refused ? { refused } : {}) });
      return;
    }
    effects.onReport(`${reason}; restarting ${decision.delayMs === 0 ? 'now' : `in ${decision.delayMs} ms`}`);
    enter({ name: 'waiting', reason, delayMs: decision.delayMs });
    restart = setTimeout(inTurn, decision.delayMs, start);
  }

  async function stop(): Promise<void> {
    stopping = true;
    clearTimeout(restart);
    const current = run;
    if (!current || current.pid === 0) {
      enter({ name: 'stopped' });
      return;
    }
    enter({ name: 'stopping', pid: current.pid });
    const force = setTimeout(() => {
      effects.onReport(`the app did not stop within ${options.stopTimeoutMs} ms: killed`);
      killRun(current, 'it did not stop in time');
    }, options.stopTimeoutMs);
    askToStop(current, options.stopTimeoutMs);
    await current.ended;
    clearTimeout(force);
  }

  async function kill(): Promise<void> {
    stopping = true;
    clearTimeout(restart);
    if (!run || run.pid === 0) return;
    killRun(run, 'it is not supervised any more');
    await run.ended;
  }

  return {
    get state() {
      return state;
    },
    get heard() {
      return run?.heard;
    },
    start() {
      if (run === undefined && restart === undefined && !stopping) start();
    },
    stop,
    kill,
  };
}

/** By message, which carries the deadline; an app that has not called `run()` understands the signal only. */
function askToStop({ child, phase }: Run, stopTimeoutMs: number): void {
  const message: HearthdMessage = { type: 'stop', deadlineMs: Math.ceil(stopTimeoutMs * 0.9) };
  const signal = (): void => {
    child.kill('SIGTERM');
  };
  if (phase === 'import' || !child.connected) signal();
  else child.send(message, (error) => error && signal());
}

function endOf(run: Run, code: number | null, signal: NodeJS.Signals | null): End {
  if (run.killed !== undefined) return { kind: 'killed', reason: run.killed };
  return signal ? { kind: 'signal', signal } : { kind: 'exit', code: code ?? 0 };
}
