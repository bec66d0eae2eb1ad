import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheDir } from '../../bin/pinned-node.js';

const REPOSITORY = join(import.meta.dirname, '..', '..');
const DOOR = join(REPOSITORY, 'bin', 'fw.js');
/** The developer's own cache: systems are built once, not once a test. */
export const CACHE = cacheDir();

export interface FwOptions {
  cwd?: string;
  /** Added to PATH and HEARTH_CACHE; nothing else of this process's environment is handed on. */
  env?: Record<string, string>;
  /** A program and arguments that run fw as theirs, such as `UMASK_077`. */
  within?: string[];
  /** Another fw than this checkout's: the path of its fw.js. */
  door?: string;
}

export interface Outcome {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

export const UMASK_077 = ['sh', '-c', 'umask 077 && exec "$0" "$@"'];

/** Starts the real command, as a user's shell would. */
export function startFw(
  args: string[],
  { cwd, env, within = [], door = DOOR }: FwOptions = {},
): ChildProcess {
  const [program = '', ...rest] = [...within, process.execPath, door, ...args];
  return spawn(program, rest, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env.PATH, HEARTH_CACHE: CACHE, ...env },
    ...(cwd ? { cwd } : {}),
  });
}

export async function outcome(child: ChildProcess): Promise<Outcome> {
  let [stdout, stderr] = ['', ''];
  child.stdout?.setEncoding('utf8').on('data', (text) => {
    stdout += text;
  });
  child.stderr?.setEncoding('utf8').on('data', (text) => {
    stderr += text;
  });
  const [code, signal] = (await once(child, 'close')) as [number | null, NodeJS.Signals | null];
  return { code, signal, stdout, stderr };
}

/** Resolves when a command has printed a match; rejects when it ends before. */
export function printed(child: ChildProcess, pattern: RegExp): Promise<RegExpExecArray> {
  return new Promise((resolve, reject) => {
    let seen = '';
    const look = (text: string): void => {
      seen += text;
      const match = pattern.exec(seen);
      if (match) resolve(match);
    };
    child.stdout?.setEncoding('utf8').on('data', look);
    child.stderr?.setEncoding('utf8').on('data', look);
    child.once('close', () => reject(new Error(`fw ended before it printed ${pattern}:\n${seen}`)));
  });
}

export function fw(args: string[], options?: FwOptions): Promise<Outcome> {
  return outcome(startFw(args, options));
}

/** fw that must end well and print one JSON object: the object. */
export async function fwJson<T = Record<string, unknown>>(args: string[], options?: FwOptions): Promise<T> {
  const { code, stdout, stderr } = await fw([...args, '--json'], options);
  if (code !== 0) throw new Error(`fw ${args.join(' ')}: exit status ${code}\n${stdout}${stderr}`);
  return JSON.parse(stdout) as T;
}

/** A copy of the example app and of the key that signs it; the path of the app. */
export async function copyHello(folder: string): Promise<string> {
  const apps = join(REPOSITORY, 'firmware', 'apps');
  await mkdir(folder, { recursive: true });
  const own = (source: string): boolean => !/node_modules|\.fw|\.hearth/.test(source.slice(apps.length));
  for (const name of ['hello', 'example-key'])
    await cp(join(apps, name), join(folder, name), { recursive: true, filter: own });
  return join(folder, 'hello');
}
