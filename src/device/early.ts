/**
 * What comes before everything else of hearthd, the library included: main.ts loads the rest when this file has run, and this
 * file imports nothing that takes its time.
 */

import type { ChildProcess } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { totalmem } from 'node:os';
import { appEnvironment, delegateApp, limitApp, spawnHeld } from './app/command.ts';
import { BOOT_FILE, parseBootInfo } from './boot-info.ts';
import { createConsole, silentConsole, systemConsole } from './console.ts';
import { FIRMWARE_FILE, parseFirmwareInfo } from './firmware-info.ts';
import { connectHeart } from './heart-link.ts';
import { PATHS } from './paths.ts';

/** Milliseconds since the kernel started: the clock that Linux counts from there, and that never jumps. */
export const now = (): number => Number(process.hrtime.bigint()) / 1e6;
export const hearthdMs = now();

export const info = parseFirmwareInfo(readFileSync(FIRMWARE_FILE, 'utf8'));
const console_ = createConsole(info.console === 'none' ? silentConsole : systemConsole(), now);
export const { say, app: sayForApp } = console_;

export function fail(error: unknown): never {
  say(`hearthd failed: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
  process.exit(1);
}
process.on('uncaughtException', fail);

// The first beat as early as can be: heart counts from the moment it started us. No service beats, but the event loop.
if (process.env.HEART_FD !== undefined) {
  connectHeart(Number(process.env.HEART_FD), Number(process.env.HEART_BEAT_TIMEOUT ?? 10), (why) =>
    say(`the link to heart is lost: ${why}`),
  );
}

export const boot = parseBootInfo(readFileSync(BOOT_FILE, 'utf8'));
mkdirSync(PATHS.run, { recursive: true });
try {
  delegateApp();
  limitApp(totalmem());
} catch (error) {
  // A kernel without the memory controller: the app runs all the same, and the kernel still ends it first.
  say(`the app's memory is not limited: ${(error as Error).message}`);
}

const spawn = (aside?: boolean): ChildProcess =>
  spawnHeld(appEnvironment(info, boot), info.app.nodeArgs, aside);
// Node needs as long to come up as everything here together.
let ahead: ChildProcess | undefined = spawn();
if (info.dev) say('this is a development firmware: not for the field');

/**
 * A process of the app that waits before the app's first line.
 * @param aside beside an app that runs: the next one
 */
export function hold(aside = false): ChildProcess {
  if (aside) return spawn(aside);
  const child = ahead ?? spawn();
  ahead = undefined;
  return child;
}
