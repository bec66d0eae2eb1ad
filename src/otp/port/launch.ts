import { accessSync, constants, existsSync, type Stats, statSync } from 'node:fs';
import { delimiter, join, resolve } from 'node:path';
import { PortError } from './errors.ts';

export interface LaunchOptions {
  /** A path, or a name that is looked for in PATH. */
  command: string;
  args?: readonly string[] | undefined;
  /** The default is this program's. */
  cwd?: string | undefined;
  /** All of its environment; the default is this program's. */
  env?: NodeJS.ProcessEnv | undefined;
  /** Another user to run it as, by name or id. Needs heart, and root. */
  user?: string | number | undefined;
  /** The path of `heart`; the default is `HEARTH_HEART`, or `/sbin/heart`. False for none. */
  heart?: string | false | undefined;
}

/** Where devices have it. */
const DEVICE_HEART = '/sbin/heart';

/** The descriptor by which a port's first process reaches the guard: the highest that every shell can redirect. */
export const GUARD_FD = 9;

/**
 * The first process of each port: it tells the guard its process group, enters its cgroup, and becomes the program. Where
 * one of these fails there is no program: it would be one that nothing stops.
 */
const LAUNCHER = `
echo "+ $$" >&${GUARD_FD} || exit 125
if [ -n "$1" ]; then { echo 0 >"$1/cgroup.procs"; } 2>/dev/null || $2 || exit 125; fi
shift 2
exec "$@" ${GUARD_FD}>&-
`;

export interface Launch {
  file: string;
  /** @param limited whether it must not run outside of that cgroup; without limits, its process group will do */
  args: (cgroup: string | undefined, limited: boolean) => string[];
  cwd: string;
  env: NodeJS.ProcessEnv;
}

/** @throws PortError 'port-start': no such program, folder or user, before anything is started */
export function launch(options: LaunchOptions): Launch {
  const { command, args = [], user } = options;
  const env = options.env ?? process.env;
  const cwd = resolve(options.cwd ?? '.');
  if (!stat(cwd)?.isDirectory())
    throw new PortError('port-start', `${command} cannot be started in ${cwd}: no such folder`, {
      errno: 'ENOENT',
    });
  const program = [findProgram(command, cwd, env.PATH ?? '/usr/bin:/bin'), ...args];
  const heart = heartPath(options.heart);
  if (user !== undefined && heart === undefined)
    throw new PortError(
      'port-start',
      `${command} cannot be started as ${user}: there is no heart (HEARTH_HEART)`,
    );
  if (heart !== undefined) {
    const as = user === undefined ? [] : ['--user', String(user)];
    program.unshift(heart, 'exec', '--pdeathsig', 'KILL', ...as, '--');
  }
  return {
    file: '/bin/sh',
    args: (cgroup, limited) => ['-c', LAUNCHER, 'port', cgroup ?? '', String(!limited), ...program],
    cwd,
    env,
  };
}

function heartPath(given: string | false | undefined): string | undefined {
  if (process.platform !== 'linux' || given === false) return undefined;
  const path = given ?? process.env.HEARTH_HEART;
  if (path === undefined || path === '') return existsSync(DEVICE_HEART) ? DEVICE_HEART : undefined;
  if (!existsSync(path))
    throw new PortError('port-start', `there is no heart at ${path}`, { errno: 'ENOENT' });
  return path;
}

/** Undefined, too, of what this user may not look at. */
function stat(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch {
    return undefined;
  }
}

/** As execvp(3) does it. */
function findProgram(command: string, cwd: string, path: string): string {
  const candidates = command.includes('/')
    ? [resolve(cwd, command)]
    : path.split(delimiter).map((folder) => resolve(cwd, join(folder, command)));
  let denied: string | undefined;
  for (const candidate of candidates) {
    if (!stat(candidate)?.isFile()) continue;
    try {
      accessSync(candidate, constants.X_OK);
      return candidate;
    } catch {
      denied ??= candidate;
    }
  }
  if (denied)
    throw new PortError('port-start', `${denied} may not be executed by this user`, { errno: 'EACCES' });
  const where = command.includes('/') ? '' : `, in PATH: ${path}`;
  throw new PortError('port-start', `there is no program ${command}${where}`, { errno: 'ENOENT' });
}
