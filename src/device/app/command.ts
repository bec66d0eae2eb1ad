import { type ChildProcess, spawn } from 'node:child_process';
import { chownSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import type { DataState } from '../../otp/device.ts';
import type { BootInfo } from '../boot-info.ts';
import { GROUPS } from '../devices/permissions.ts';
import type { FirmwareInfo } from '../firmware-info.ts';
import { APP_USER, PATHS } from '../paths.ts';

/** Of two processes that need more memory than there is, the kernel ends the app: hearthd brings it back. */
const OOM_SCORE_ADJ = 500;

/** Of the memory, how much the app may have, files that it writes to /tmp and /dev/shm included. */
const MEMORY_SHARE = 0.75;
/** Processes and threads; a Node process has a dozen. */
const MOST_TASKS = 1024;

/**
 * Sets what the app's cgroup may take. Ending an app does not free what it wrote to a memory file system: without a
 * limit hearthd would be the next to go.
 * @param memory of the whole device, bytes
 */
export function limitApp(memory: number, cgroup: string = PATHS.appCgroup): void {
  writeFileSync(`${cgroup}/memory.max`, String(Math.floor(memory * MEMORY_SHARE)));
  writeFileSync(`${cgroup}/pids.max`, String(MOST_TASKS));
}

interface Owner {
  uid: number;
  gid: number;
}

/** Whose limits an app may set for its ports. */
const DELEGATED = ['memory', 'pids'];

/**
 * Lets the app make cgroups beside the one that its own process is in, `main`, for its ports: the folder becomes its
 * user's, the limits on all of it together stay hearthd's. With controllers below it a cgroup has no process of its own, so
 * this comes before the app's first start; what is in `main` is no hindrance.
 */
export function delegateApp(cgroup: string = PATHS.appCgroup, { uid, gid }: Owner = APP_USER): void {
  const available = readFileSync(`${cgroup}/cgroup.controllers`, 'utf8').trim().split(' ');
  for (const name of DELEGATED.filter((controller) => available.includes(controller)))
    writeFileSync(`${cgroup}/cgroup.subtree_control`, `+${name}`);
  // To move a process takes the right to write to the cgroup above both places.
  for (const path of [cgroup, `${cgroup}/cgroup.procs`]) chownSync(path, uid, gid);
}

/** What the app finds in its environment, but for HEARTH_DATA_STATE; `src/otp/device.ts` reads it. */
export function appEnvironment(
  info: FirmwareInfo,
  boot: Pick<BootInfo, 'target' | 'slot' | 'uuid'>,
): Record<string, string> {
  return {
    PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
    HOME: PATHS.appData,
    USER: APP_USER.name,
    LANG: 'C.UTF-8',
    NODE_ENV: 'production',
    // The app's own variables may replace those above, never those below.
    ...info.app.env,
    FW_ENV: info.dev ? 'dev' : 'prod',
    HEARTH_TARGET: boot.target,
    HEARTH_SLOT: boot.slot,
    HEARTH_UUID: boot.uuid,
    HEARTH_PRODUCT: info.product,
    HEARTH_VERSION: info.version,
    HEARTH_DATA: PATHS.appData,
    HEARTH_BEAT_MS: String(info.app.beatTimeoutMs),
  };
}

/** The cgroup of the app's own process. */
const MAIN = `${PATHS.appCgroup}/main`;

/**
 * `heart exec` and its arguments: becomes the app, as its own user, in the cgroup `main` below the app's, dying with hearthd.
 * @param aside in the cgroup of hearthd
 */
export function appCommand(
  nodeArgs: readonly string[],
  app: string = PATHS.app,
  aside = false,
): [program: string, args: string[]] {
  return [
    PATHS.heart,
    [
      ...['exec', '--user', APP_USER.name, '--groups', Object.keys(GROUPS).join(',')],
      ...(aside ? [] : ['--cgroup', MAIN]),
      ...['--pdeathsig', 'KILL', '--setsid'],
      ...['--oom-score-adj', String(OOM_SCORE_ADJ), '--no-new-privs', '--', PATHS.node],
      ...['--disable-warning=ExperimentalWarning', ...nodeArgs, app],
    ],
  ];
}

interface Start {
  nodeArgs: readonly string[];
  env: Readonly<Record<string, string>>;
  /** The app's file may yet be sent. */
  yetToCome?: boolean;
  sourceMap?: boolean;
}

/** What has Node evaluate something before the app's file. */
const PRELOADS = /^(-r|--(require|import|loader|experimental-loader))(=|$)/;

/** The options of the app's Node, the gate before those that have Node evaluate something before the app. */
export function nodeOptions(
  { nodeArgs, env, yetToCome = false, sourceMap = false }: Start,
  gate: string = PATHS.gate,
): string[] {
  const given = [...nodeArgs, ...(env.NODE_OPTIONS ?? '').split(/\s+/)];
  const gateFirst = yetToCome || given.some((option) => PRELOADS.test(option));
  return [
    // What is required comes before all that is imported.
    ...(gateFirst ? [`--require=${gate}`] : []),
    ...(sourceMap ? ['--enable-source-maps'] : []),
    ...nodeArgs,
  ];
}

/**
 * Starts the app's process and holds it before the app's first line (`gate.mjs`): Node itself comes up while /data is
 * being mounted, which the app must not see unmounted. The firmware's app imports the gate itself.
 * @param aside while an app runs, whose end is the end of all that is in its cgroup: `letGo` brings it there
 */
export function spawnHeld(
  env: Record<string, string>,
  nodeArgs: readonly string[] = [],
  aside = false,
): ChildProcess {
  // Only a development firmware takes such code; this asks for it once more.
  const sent = env.FW_ENV === 'dev' && existsSync(PATHS.devApp);
  const sourceMap = sent || existsSync(PATHS.appSourceMap);
  const options = nodeOptions({ nodeArgs, env, yetToCome: sent || aside, sourceMap });
  const [program, args] = appCommand(options, sent ? PATHS.devApp : PATHS.app, aside);
  const child = spawn(program, args, {
    stdio: ['pipe', 'pipe', 'pipe', 'ipc'],
    env: { ...env, ...(sent && { HEARTH_APP_CONFIG: PATHS.devConfig }), HEARTH_GATE: '1' },
  });
  // Who takes the child over looks whether it was started; until then nobody listens.
  child.on('error', () => {});
  if (aside) waitingAside.add(child);
  return child;
}

const waitingAside = new WeakSet<ChildProcess>();

/** Lets the app run; it learns what has become of /data. Its standard input is empty from here on. */
export function letGo(child: ChildProcess, dataState: DataState): void {
  // The app may be gone already; its exit is reported on its own.
  child.stdin?.on('error', () => {});
  if (waitingAside.has(child) && !moved(child)) child.kill('SIGKILL');
  else child.stdin?.end(dataState);
}

/** Out of the app's cgroup, what limits and ends the app would not reach it: then it is ended, and the next one begins there. */
function moved({ pid }: ChildProcess): boolean {
  try {
    writeFileSync(`${MAIN}/cgroup.procs`, String(pid));
    return true;
  } catch {
    return false;
  }
}

/** Ends every process of the app at once: its drivers, and what they have started, in whichever cgroup below the app's. */
export function killApp(): void {
  try {
    writeFileSync(`${PATHS.appCgroup}/cgroup.kill`, '1');
  } catch {
    // heart makes the cgroup with the app's first start; before that there is nothing to kill.
  }
}
