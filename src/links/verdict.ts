import { setTimeout } from 'node:timers/promises';
import type { DeviceStatus } from '../device/api/status.ts';
import { FwError } from '../errors.ts';
import { ask, statusOf } from './device.ts';
import type { DeviceLink } from './link.ts';

/** What was sent, and where the device ran before it rebooted. */
export interface Sent {
  uuid: string;
  /** The booted slot then: the new firmware runs from the other one. */
  slot: DeviceStatus['slot'];
  trialSeconds: number;
}

export type Verdict =
  | { result: 'validated'; reason: string }
  | { result: 'reverted'; reason: string }
  /** Its configuration leaves the decision to somebody: `fw validate`. */
  | { result: 'undecided'; secondsLeft: number };

/** How it stands with an update. */
export type Standing =
  | Verdict
  /** What runs is about to go down: the old firmware for the trial, or the new one at its bad end. */
  | { result: 'going-down' }
  | { result: 'trial'; secondsLeft: number; healthy: boolean; reachable: boolean };

/** Reads a status; pure. */
export function standingOf(status: DeviceStatus, { uuid, slot }: Pick<Sent, 'uuid' | 'slot'>): Standing {
  const { last, trial } = status;
  const outcome = last?.uuid === uuid ? last : undefined;
  if (status.slot !== slot && status.uuid === uuid) {
    if (trial && status.update.validate === 'manual' && trial.reachable && trial.healthy)
      return { result: 'undecided', secondsLeft: trial.secondsLeft };
    if (trial) return { result: 'trial', ...trial };
    // It has given itself up.
    if (status.state === 'trial') return { result: 'going-down' };
    return { result: 'validated', reason: outcome?.reason ?? 'made permanent' };
  }
  if (status.state === 'staged' || status.state === 'trial') return { result: 'going-down' };
  return {
    result: 'reverted',
    reason: outcome?.result === 'reverted' ? outcome.reason : 'the device does not say why',
  };
}

export interface WaitOptions {
  signal: AbortSignal;
  /** What is known now, each time that it was asked; an error while the device cannot be reached. */
  onStanding?(standing: Standing | FwError): void;
  /** Boot loader, kernel, network, and ssh's patience, twice: there and back. */
  bootMs?: number;
  /** Between two questions: at first, and at most. */
  pauseMs?: readonly [first: number, most: number];
  callTimeoutMs?: number;
  now?(): number;
  sleep?(ms: number, signal: AbortSignal): Promise<void>;
}

const BOOT_MS = 240_000;
const PAUSE_MS = [1000, 5000] as const;
const CALL_TIMEOUT_MS = 20_000;
const SLOWER = 1.5;

/**
 * Waits until the device has come back and has decided. That we reach the system on trial is told to it: without that it
 * would revert.
 * @throws FwError `device-not-back`
 */
export async function awaitVerdict(link: DeviceLink, sent: Sent, options: WaitOptions): Promise<Verdict> {
  const {
    signal,
    bootMs = BOOT_MS,
    pauseMs = PAUSE_MS,
    callTimeoutMs: timeoutMs = CALL_TIMEOUT_MS,
  } = options;
  const { now = Date.now, sleep = (ms, signal) => setTimeout(ms, undefined, { signal }) } = options;
  const begun = now();
  let deadline = begun + sent.trialSeconds * 1000 + bootMs;
  let pause = pauseMs[0];
  for (;;) {
    const standing = await standingNow(link, sent, { timeoutMs, signal });
    options.onStanding?.(standing);
    if (standing instanceof FwError) pause = Math.min(pauseMs[1], pause * SLOWER);
    else if (standing.result === 'trial') {
      [pause] = pauseMs;
      // Reboots in good order prolong a trial: the device knows better than we.
      deadline = Math.max(deadline, now() + standing.secondsLeft * 1000 + bootMs);
    } else if (standing.result !== 'going-down') return standing;
    if (now() >= deadline) throw notBack(link.name, sent, Math.round((now() - begun) / 1000), standing);
    await sleep(pause, signal);
  }
}

/** Whatever goes wrong is to be expected of a device that reboots; that it goes on too long is what the caller judges. */
async function standingNow(
  link: DeviceLink,
  sent: Sent,
  options: { timeoutMs: number; signal: AbortSignal },
): Promise<Standing | FwError> {
  try {
    const standing = standingOf(await statusOf(link, options), sent);
    if (standing.result !== 'trial' || standing.reachable) return standing;
    await ask(link, ['reachable', sent.uuid], options);
    return { ...standing, reachable: true };
  } catch (error) {
    if (error instanceof FwError) return error;
    throw error;
  }
}

function notBack(name: string, { uuid }: Sent, seconds: number, last: Standing | FwError): FwError {
  const seen = last instanceof FwError ? last.message : `its update is ${last.result}`;
  return new FwError(
    'device-not-back',
    `${name} has not told within ${seconds} s what became of the update`,
    {
      where: `last: ${seen}`,
      expected: `the firmware ${uuid}, or the one before it`,
      remedy:
        'Look at its screen or serial port, or switch it off and on: a firmware that was never made permanent is then given up, and the one before it boots. fw status HOST says more when it is back.',
      cause: last,
    },
  );
}
