/** The programs under test, and ways to watch them. */
import { execFileSync, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { onTestFinished } from 'vitest';
import { prebuiltDir, sourceDir } from '../build.ts';

/** What a device runs: the committed binary of this machine. */
export const heart = join(prebuiltDir, process.arch === 'arm64' ? 'aarch64' : 'x86_64', 'heart');

/** A folder that goes when the test ends. */
export function scratch(parent = tmpdir()): string {
  const folder = mkdtempSync(join(parent, 'heart-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/**
 * Builds a program of heart's sources with the host's own compiler and the address and undefined-behaviour
 * sanitizers, and with the watchdog's ioctls answered by fake-watchdog.c.
 */
function sanitized(out: string, main: string): string {
  const sources = readdirSync(sourceDir).filter((name) => name.endsWith('.c') && name !== 'main.c');
  const flags = [
    '-std=gnu11',
    '-D_GNU_SOURCE',
    '-g',
    '-O1',
    '-Wall',
    '-Wextra',
    '-Werror',
    '-Wno-format-truncation',
  ];
  const checks = ['-fsanitize=address,undefined', '-fno-sanitize-recover=all', '-Wl,--wrap=ioctl'];
  const files = [
    ...sources.map((name) => join(sourceDir, name)),
    main,
    join(import.meta.dirname, 'fake-watchdog.c'),
  ];
  execFileSync('gcc', [...flags, ...checks, '-o', out, ...files], { stdio: 'inherit' });
  return out;
}
export const buildSanitizedHeart = (folder: string) =>
  sanitized(join(folder, 'heart'), join(sourceDir, 'main.c'));
export const buildProbe = (folder: string) =>
  sanitized(join(folder, 'probe'), join(import.meta.dirname, 'probe.c'));

export interface Ended {
  status: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}
/** Runs a program to its end. */
export function run(
  program: string,
  args: string[],
  options: { env?: NodeJS.ProcessEnv; input?: Uint8Array } = {},
): Ended {
  const { env, input } = options;
  const done = spawnSync(program, args, {
    encoding: 'utf8',
    env: { ...process.env, ...env },
    ...(input === undefined ? {} : { input }),
  });
  return { status: done.status, signal: done.signal, stdout: done.stdout, stderr: done.stderr };
}

/** A running program: what it has said so far, and its end. It does not outlive its test. */
export function start(program: string, args: string[], env: NodeJS.ProcessEnv = {}) {
  const child = spawn(program, args, { env: { ...process.env, ...env } });
  const output: Buffer[] = [];
  let errors = '';
  child.stdout.on('data', (bytes: Buffer) => output.push(bytes));
  child.stderr.on('data', (bytes: Buffer) => {
    errors += bytes.toString();
  });
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (status, signal) =>
      resolve({ status, signal, stdout: Buffer.concat(output).toString('latin1'), stderr: errors }),
    );
  });
  // EPIPE: a program that has ended takes no more input, which is its right.
  child.stdin.on('error', () => {});
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  return { child, ended, stdout: () => Buffer.concat(output).toString('latin1'), stderr: () => errors };
}

/** Waits until `look` gives something, looking every few milliseconds: for state that has no event, as in /proc. */
export async function until<T>(
  what: string,
  look: () => T | undefined | false,
  withinMs = 20_000,
): Promise<T> {
  const start = performance.now();
  for (;;) {
    const seen = look();
    if (seen !== undefined && seen !== false) return seen;
    if (performance.now() - start > withinMs) throw new Error(`${what}: not seen within ${withinMs} ms`);
    await delay(2);
  }
}

/** The processes that `pid` has started and not yet reaped, oldest first. */
export function children(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
      .trim()
      .split(/\s+/)
      .filter(Boolean)
      .map(Number);
  } catch {
    return [];
  }
}

/** Whether a process is there and not a zombie. */
export function alive(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
