import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createHealth } from '../../otp/health.ts';
import { createLogger } from '../../otp/logger/index.ts';
import type { Parent } from '../../otp/parent.ts';
import { runIn } from '../../otp/run.ts';
import { createStopper } from '../../otp/stop.ts';
import { supervisedApp } from '../../otp/supervisor/supervised-app.ts';
import type { AppState } from '../app/runner.ts';
import { connectHeart, type HeartLink } from '../heart-link.ts';
import { sayReports } from '../reports.ts';
import { controlPath } from './control-path.ts';
import { parseNodeArgs, type ReleaseInfo, type ReleasePaths } from './release.ts';
import { consoleSink, fileSink } from './sink.ts';
import { serverTree, stopDeadline } from './tree.ts';

const START_TIMEOUT_MS = 60_000;

/** Nobody supervises hearthd through a channel: heart has its own. */
const NO_PARENT: Parent = { present: false, send() {}, onMessage() {}, onGone() {} };

/** hearthd on a server. The process ends with 1 when the app has failed for good, or hearthd itself has. */
export function serve(info: ReleaseInfo, paths: ReleasePaths, environment: NodeJS.ProcessEnv): void {
  const { HEARTH_LOG, HEART_FD, HEART_BEAT_TIMEOUT } = process.env;
  // No process of the tree: what is said last must be written before this process ends.
  const sink = HEARTH_LOG ? fileSink(HEARTH_LOG, process.env, () => new Date()) : consoleSink();
  const say = (message: string): void => sink.line(`[hearth] ${message}`);
  const log = createLogger({
    level: 'notice',
    format: 'text',
    write: (line) => say(line.trimEnd()),
    now: () => new Date(),
  });
  sayReports(log);
  process.on('exit', () => sink.close());
  process.on('uncaughtException', (error) => {
    say(`hearthd failed: ${error.stack ?? String(error)}`);
    process.exit(1);
  });

  let heart: HeartLink | undefined;
  if (HEART_FD !== undefined) {
    heart = connectHeart(Number(HEART_FD), Number(HEART_BEAT_TIMEOUT ?? 10), (why) => {
      // Nobody would notice a hearthd that hangs, and `stop` would find nobody to stop.
      say(`the link to heart is lost: ${why}: stopping`);
      process.kill(process.pid, 'SIGTERM');
    });
  }

  const ready = join(paths.var, 'run', `${info.name}.ready`);
  let failed = false;
  const onState = (state: AppState): void => {
    if (state.name === 'healthy') say(`${info.name} ${info.version} is healthy, pid ${state.pid}`);
    if (state.name === 'failed') {
      failed = true;
      say('the app has failed: giving up');
    }
    try {
      if (state.name === 'healthy') writeFileSync(ready, `${state.pid}\n`);
      else rmSync(ready, { force: true });
    } catch (error) {
      // A full disk: the app runs, and is worth more than a `start` that knows of it.
      say(`cannot tell whoever starts it: ${(error as Error).message}`);
    }
  };
  const nodeArgs = parseNodeArgs(readFileSync(join(paths.root, 'node.args'), 'utf8'));
  const tree = serverTree(
    { app: { ...info.app, startTimeoutMs: START_TIMEOUT_MS }, control: controlPath(paths, info.name) },
    {
      spawn: () => spawnApp(paths, nodeArgs, environment),
      killAll: killGroup,
      now: () => performance.now(),
      onState,
      onOutput: (line) => sink.line(line),
      say,
    },
  );

  runIn(
    {
      parent: NO_PARENT,
      health: createHealth(NO_PARENT),
      stopper: createStopper(log),
      log,
      // Nobody looks into hearthd itself: the control socket leads to the app.
      sessions: { accept() {}, end() {} },
      stopDeadlineMs: stopDeadline(info.app),
      beatEveryMs: 60_000,
      onSignal: (signal, listener) => process.on(signal, listener),
      exit: (code) => void end(code),
    },
    supervisedApp(tree),
  );

  /** With heart told, our end has our status: systemd, or who called, decides what comes next. */
  async function end(code: number): Promise<void> {
    if (failed) await heart?.shutDown();
    process.exit(failed ? 1 : code);
  }
}

/** Through heart: the app leads a session of its own, so that its whole group can be killed, and dies with hearthd. */
function spawnApp(
  paths: ReleasePaths,
  nodeArgs: readonly string[],
  environment: NodeJS.ProcessEnv,
): ChildProcess {
  return spawn(
    join(paths.lib, 'heart'),
    [
      ...['exec', '--pdeathsig', 'KILL', '--setsid', '--', process.execPath],
      ...['--disable-warning=ExperimentalWarning', ...nodeArgs, join(paths.lib, 'app.mjs')],
    ],
    { stdio: ['ignore', 'pipe', 'pipe', 'ipc'], cwd: join(paths.var, 'data'), env: environment },
  );
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch (error) {
    // All of them have ended already.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
