import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { chmod, mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleApp } from '../build/bundle/index.ts';
import type { Seen } from '../build/bundle/seen.ts';
import type { Arch } from '../build/target.ts';
import { type AppRunner, type AppState, createRunner } from '../device/app/runner.ts';
import type { FwError } from '../errors.ts';
import { loadProject, type Project } from '../project/load.ts';
import { onEachChange } from './on-each-change.ts';

export interface DevelopEvents {
  /** A line that the app wrote. */
  onOutput(line: string): void;
  /** What the supervisor has to say: restarts, and why. */
  onReport(message: string): void;
  onState(state: AppState): void;
  /** The sources cannot be run as they are; what ran before goes on. */
  onBroken(error: FwError): void;
  /** A new version is about to start. */
  onReload(): void;
}

export interface DevelopOptions {
  /** The project's folder. */
  dir: string;
  /** Arguments of node itself, such as --inspect. The app is then not judged by its silence: it may stand at a breakpoint. */
  nodeArgs?: string[];
  /** Ends it. */
  signal: AbortSignal;
}

/**
 * Runs a project's app on this computer, bundled and supervised as on a device, and starts it anew whenever a file that
 * it is made of changes. Its data is in `.hearth/start/data` of the project.
 * @throws FwError when the project cannot be loaded or bundled at the beginning; later that is an event
 */
export async function develop(options: DevelopOptions, events: DevelopEvents): Promise<void> {
  const { dir, signal } = options;
  let runner: AppRunner | undefined;
  try {
    await onEachChange(dir, signal, {
      prepare: (seen) => prepare(dir, seen),
      async run(prepared, change) {
        await runner?.stop();
        if (signal.aborted) return;
        if (change) events.onReload();
        runner = startApp(prepared, options, events);
      },
      onBroken: events.onBroken,
    });
  } finally {
    await runner?.stop();
  }
}

interface Prepared {
  project: Project;
  folder: string;
}

/** Writes the app's bundle, and what it finds beside itself on a device, into a folder of the project. */
async function prepare(dir: string, seen: Seen): Promise<Prepared> {
  const project = await loadProject(dir);
  const bundle = await bundleApp(project, hostArch(), { env: 'dev', seen });
  const folder = join(project.dir, '.hearth', 'start');
  await mkdir(join(folder, 'data'), { recursive: true });
  const comment = Buffer.from('//# sourceMappingURL=app.mjs.map\n');
  await writeFile(join(folder, 'app.mjs'), Buffer.concat([bundle.code, comment]));
  await writeFile(join(folder, 'app.mjs.map'), bundle.map);
  await writeFile(join(folder, 'config.json'), `${JSON.stringify(project.config.config)}\n`);
  for (const [name, bytes] of bundle.addons) {
    await writeFile(join(folder, name), bytes);
    await chmod(join(folder, name), 0o755);
  }
  return { project, folder };
}

function startApp({ project, folder }: Prepared, options: DevelopOptions, events: DevelopEvents): AppRunner {
  const { app } = project.config;
  const nodeArgs = ['--enable-source-maps', ...app.nodeArgs, ...(options.nodeArgs ?? [])];
  const patient = (options.nodeArgs ?? []).length > 0;
  const never = 2 ** 31 - 1;
  const runner = createRunner(
    {
      maxRestarts: app.maxRestarts,
      restartWindowMs: app.restartWindowMs,
      beatTimeoutMs: patient ? never : app.beatTimeoutMs,
      startTimeoutMs: patient ? never : 60_000,
      stopTimeoutMs: app.stopTimeoutMs,
    },
    {
      spawn: () => spawnApp(join(folder, 'app.mjs'), nodeArgs, environment(project, folder)),
      killAll: killGroup,
      now: () => performance.now(),
      onState: events.onState,
      onOutput: events.onOutput,
      onReport: events.onReport,
    },
  );
  runner.start();
  return runner;
}

function environment(project: Project, folder: string): NodeJS.ProcessEnv {
  const { app, name, version } = project.config;
  return {
    ...process.env,
    ...app.env,
    FW_ENV: 'dev',
    HEARTH_PRODUCT: name,
    HEARTH_VERSION: version,
    HEARTH_APP_CONFIG: join(folder, 'config.json'),
    HEARTH_DATA: join(folder, 'data'),
    HEARTH_BEAT_MS: String(app.beatTimeoutMs),
    ...(heart ? { HEARTH_HEART: heart } : {}),
  };
}

/** Through heart where there is one for this computer: the app then dies with fw, however that ends. */
function spawnApp(file: string, nodeArgs: readonly string[], env: NodeJS.ProcessEnv): ChildProcess {
  const node = [process.execPath, '--disable-warning=ExperimentalWarning', ...nodeArgs, file];
  const [program = '', ...args] = heart
    ? [heart, 'exec', '--pdeathsig', 'KILL', '--setsid', '--', ...node]
    : node;
  return spawn(program, args, {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    cwd: join(dirname(file), 'data'),
    env,
    detached: heart === undefined,
  });
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch (error) {
    // All of them have ended already.
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

function hostArch(): Arch {
  return process.arch === 'arm64' ? 'aarch64' : 'x86_64';
}

const heartFile = fileURLToPath(
  new URL(`../../firmware/heart/prebuilt/${hostArch()}/heart`, import.meta.url),
);
const heart = process.platform === 'linux' && existsSync(heartFile) ? heartFile : undefined;
