/** hearthd on a server: `fw release` bundles this file to lib/hearthd.mjs. It runs the app, and nothing of a device. */

import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type AppState, createRunner } from './app/runner.ts';
import { connectHeart, type HeartLink } from './heart-link.ts';
import { parseNodeArgs, type ReleasePaths, readRelease, releaseEnvironment } from './server/release.ts';
import { consoleSink, fileSink } from './server/sink.ts';

const START_TIMEOUT_MS = 60_000;

const lib = import.meta.dirname;
const root = dirname(lib);
const paths: ReleasePaths = { root, lib, var: process.env.HEARTH_VAR ?? join(root, 'var') };
const info = readRelease(paths);
const environment = releaseEnvironment(info, paths, process.env);

const [verb, what = ''] = process.argv.slice(2);
if (verb === 'eval') process.exit(evaluate(what));
else serve();

/** An expression, or a file, in a Node of its own that has the app's environment. */
function evaluate(text: string): number {
  const args = existsSync(text) ? [text] : ['--print', text];
  const { status, error } = spawnSync(process.execPath, [...process.execArgv, ...args], {
    stdio: 'inherit',
    env: environment,
  });
  if (error) throw error;
  return status ?? 1;
}

function serve(): void {
  const { HEARTH_LOG, HEART_FD, HEART_BEAT_TIMEOUT } = process.env;
  const sink = HEARTH_LOG ? fileSink(HEARTH_LOG, process.env, () => new Date()) : consoleSink();
  const say = (message: string): void => sink.line(`[hearth] ${message}`);
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
      void shutDown();
    });
  }

  const nodeArgs = parseNodeArgs(readFileSync(join(root, 'node.args'), 'utf8'));
  const readyFile = join(paths.var, 'run', `${info.name}.ready`);
  const runner = createRunner(
    { ...info.app, startTimeoutMs: START_TIMEOUT_MS },
    {
      spawn: () => spawnApp(nodeArgs),
      killAll: killGroup,
      now: () => performance.now(),
      onState,
      onOutput: (line) => sink.line(line),
      onReport: say,
    },
  );

  function onState(state: AppState): void {
    if (state.name === 'healthy') {
      say(`${info.name} ${info.version} is healthy, pid ${state.pid}`);
      writeFileSync(readyFile, `${state.pid}\n`);
    } else rmSync(readyFile, { force: true });
    if (state.name === 'failed') void giveUp();
  }

  /** With heart told, its own end has our status: systemd, or who called, decides what comes next. */
  async function giveUp(): Promise<void> {
    say('the app has failed: giving up');
    await heart?.shutDown();
    process.exit(1);
  }

  let stopping = false;
  async function shutDown(): Promise<void> {
    if (stopping) return;
    stopping = true;
    await runner.stop();
    process.exit(0);
  }
  process.on('SIGTERM', () => void shutDown());
  process.on('SIGINT', () => void shutDown());
  runner.start();
}

/** Through heart: the app leads a session of its own, so that its whole group can be killed, and dies with hearthd. */
function spawnApp(nodeArgs: readonly string[]): ChildProcess {
  return spawn(
    join(lib, 'heart'),
    [
      ...['exec', '--pdeathsig', 'KILL', '--setsid', '--', process.execPath],
      ...['--disable-warning=ExperimentalWarning', ...nodeArgs, join(lib, 'app.mjs')],
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
