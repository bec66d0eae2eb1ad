import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createHealth } from '../../otp/health.ts';
import { child, named, supervisor } from '../../otp/index.ts';
import { createLogger, logReports } from '../../otp/logger/index.ts';
import type { Parent } from '../../otp/parent.ts';
import { runIn } from '../../otp/run.ts';
import { createStopper } from '../../otp/stop.ts';
import { supervisedApp } from '../../otp/supervisor/supervised-app.ts';
import type { AppState } from '../app/runner.ts';
import { connectHeart, type HeartLink } from '../heart-link.ts';
import { ReleasedApp } from './app.ts';
import { controlPath } from './control-path.ts';
import { ControlSocket, refuse } from './control-socket.ts';
import { parseNodeArgs, type ReleaseInfo, type ReleasePaths } from './release.ts';
import { consoleSink, fileSink } from './sink.ts';

const START_TIMEOUT_MS = 60_000;
/** Beyond the app's own time to stop: to kill it, and to see it end. */
const STOP_MARGIN_MS = 3_000;

/** Nobody supervises hearthd through a channel: heart has its own. */
const NO_PARENT: Parent = { present: false, send() {}, onMessage() {}, onGone() {} };

/** hearthd: the app and the control socket under one supervisor. The process ends with 1 when the app has failed for good. */
export function serve(info: ReleaseInfo, paths: ReleasePaths, environment: NodeJS.ProcessEnv): void {
  const { HEARTH_LOG, HEART_FD, HEART_BEAT_TIMEOUT } = process.env;
  const sink = HEARTH_LOG ? fileSink(HEARTH_LOG, process.env, () => new Date()) : consoleSink();
  const say = (message: string): void => sink.line(`[hearth] ${message}`);
  const log = createLogger({
    level: 'notice',
    format: 'text',
    write: (line) => say(line.trimEnd()),
    now: () => new Date(),
  });
  logReports(log);
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

  const readyFile = join(paths.var, 'run', `${info.name}.ready`);
  let failed = false;
  const onState = (state: AppState): void => {
    if (state.name === 'healthy') {
      say(`${info.name} ${info.version} is healthy, pid ${state.pid}`);
      writeFileSync(readyFile, `${state.pid}\n`);
    } else rmSync(readyFile, { force: true });
    if (state.name === 'failed') {
      failed = true;
      say('the app has failed: giving up');
    }
  };
  const nodeArgs = parseNodeArgs(readFileSync(join(paths.root, 'node.args'), 'utf8'));
  const stopMs = info.app.stopTimeoutMs + STOP_MARGIN_MS;
  const app = child(ReleasedApp, {
    name: 'app',
    // It ends in order only when there is nothing left to do.
    restart: 'transient',
    significant: true,
    shutdown: stopMs,
    args: [
      { ...info.app, startTimeoutMs: START_TIMEOUT_MS },
      {
        spawn: () => spawnApp(paths, nodeArgs, environment),
        killAll: killGroup,
        now: () => performance.now(),
        onState,
        onOutput: (line) => sink.line(line),
        say,
      },
    ],
  });
  const controlSocket = child(ControlSocket, {
    name: 'control socket',
    args: [
      {
        path: controlPath(paths, info.name),
        onConnection: (socket) => {
          const now = named<ReleasedApp>('app');
          if (now.alive) now.cast('session', socket);
          else refuse(socket, 'the app does not run now');
        },
        say,
      },
    ],
  });

  runIn(
    {
      parent: NO_PARENT,
      health: createHealth(NO_PARENT),
      stopper: createStopper(log),
      log,
      // Nobody looks into hearthd itself: the control socket leads to the app.
      sessions: { accept() {}, end() {} },
      stopDeadlineMs: stopMs,
      beatEveryMs: 60_000,
      onSignal: (signal, listener) => process.on(signal, listener),
      exit: (code) => void end(code),
    },
    supervisedApp(
      supervisor({
        id: 'hearthd',
        maxRestarts: 3,
        maxSeconds: 60,
        autoShutdown: 'any_significant',
        children: [app, controlSocket],
      }),
    ),
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
