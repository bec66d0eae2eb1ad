import { execFile } from 'node:child_process';
import { createHash, randomBytes, randomInt } from 'node:crypto';
import { rmSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { FwError } from '../errors.ts';
import { isRunning } from './cache/prune.ts';

/** That this process alone uses something, until it lets go or ends in whatever way. */
export interface Claim extends Disposable {
  release(): void;
}

/** How the start of a process is found: `processStart`. */
type StartOf = (pid: number) => Promise<string | undefined>;

/** Where nobody says when a process began, as in a container without /proc, its id has to do. */
const UNKNOWN = 'unknown';

const ATTEMPTS = 4;
const STEP_BACK_MS = 100;

/**
 * Claims what `path` names; `what` is that in words. Works between the processes of one machine, on every file system:
 * each puts down an empty file of its own beside `path`, with its process id and start in the name, and only then
 * looks for others. Of two, at least the second sees the other, so there are never two owners; two that see each other
 * step back and try again. The file of a process that has ended counts for nothing, and is cleared away.
 * @throws FwError `already-running`
 */
export async function claim(path: string, what: string, startOf: StartOf = processStart): Promise<Claim> {
  await mkdir(dirname(path), { recursive: true });
  const me = (await startOf(process.pid)) ?? UNKNOWN;
  for (let attempt = 1; ; attempt++) {
    const own = `${path}.used-by-${process.pid}-${me}-${randomBytes(4).toString('hex')}`;
    const release = (): void => rmSync(own, { force: true });
    await writeFile(own, '', { flag: 'wx' });
    const owner = await otherOwner(path, basename(own), me, startOf).catch((error: unknown) => {
      release();
      throw error;
    });
    if (owner === undefined) return { release, [Symbol.dispose]: release };
    release();
    if (attempt === ATTEMPTS) throw alreadyRunning(path, what, owner);
    await delay(randomInt(STEP_BACK_MS) * attempt);
  }
}

function alreadyRunning(path: string, what: string, pid: number): FwError {
  return new FwError('already-running', `${what} is running already, in process ${pid}`, {
    where: path,
    expected: 'one process at a time',
    remedy: `End it first: Ctrl-A X in its terminal, or: kill ${pid}`,
  });
}

/** Another process that has claimed the same and lives. */
async function otherOwner(
  path: string,
  own: string,
  me: string,
  startOf: StartOf,
): Promise<number | undefined> {
  const prefix = `${basename(path)}.used-by-`;
  for (const name of await readdir(dirname(path))) {
    if (!name.startsWith(prefix) || name === own) continue;
    const [pid = '', start] = name.slice(prefix.length).split('-');
    const known = me !== UNKNOWN && start !== UNKNOWN;
    const lives = known ? (await startOf(Number(pid))) === start : isRunning(Number(pid));
    if (lives) return Number(pid);
    await rm(join(dirname(path), name), { force: true });
  }
  return undefined;
}

/**
 * A word that a process has for all its life and shares with no other one, such as a later one with the same id;
 * undefined when there is no such process.
 */
export async function processStart(
  pid: number,
  platform: NodeJS.Platform = process.platform,
  proc = '/proc',
): Promise<string | undefined> {
  const facts = platform === 'linux' ? await fromProc(pid, proc) : await fromPs(pid);
  return facts && createHash('sha256').update(facts).digest('hex').slice(0, 12);
}

/** proc(5): behind the name, which may hold anything, the third field is the state, the 22nd the start since boot. */
async function fromProc(pid: number, proc: string): Promise<string | undefined> {
  // Sandboxes hide it. Without it, what is left of another boot may be taken for a process that lives.
  const boot = await readFile(join(proc, 'sys/kernel/random/boot_id'), 'utf8').catch(() => '');
  const stat = await readFile(join(proc, String(pid), 'stat'), 'utf8').catch(() => undefined);
  const fields = stat?.slice(stat.lastIndexOf(')') + 2).split(' ');
  // A zombie has ended; its parent just has not looked yet.
  return fields && !/^[ZX]/.test(fields[0] ?? '') ? `${boot} ${fields[22 - 3]}` : undefined;
}

/** macOS and the BSDs. The environment is part of it: a start is written in the words and hours of whoever asks. */
async function fromPs(pid: number): Promise<string | undefined> {
  const env = { PATH: process.env.PATH ?? '/bin:/usr/bin', LC_ALL: 'C', TZ: 'UTC0' };
  const ps = promisify(execFile)('ps', ['-o', 'stat=,lstart=', '-p', String(pid)], { env });
  // It ends with status 1 when there is no such process.
  const { stdout } = await ps.catch(() => ({ stdout: '' }));
  const [, state = 'Z', start] = /^\s*(\S+)\s+(.*\S)\s*$/m.exec(stdout) ?? [];
  return state.startsWith('Z') ? undefined : start;
}
