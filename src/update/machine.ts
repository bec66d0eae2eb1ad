import type { Slot } from '../archive/variants.ts';
import type { Outcome, Underway, UpdateRecord } from './record.ts';

/**
 * The states of an update. What a state does is in `updater.ts`, what is remembered of it in the environment: so every
 * arrow is one write of one copy of it, and whatever comes between leaves the state before or the one after.
 *
 * | state | what is done |
 * | --- | --- |
 * | idle | nothing; `last` says how the last one ended, validated or reverted |
 * | receiving | the inactive slot is written, chunk by verified chunk; resumed by looking at what the slot holds |
 * | staged | the whole slot has been read back and is what was signed |
 * | trial | the next boot, or this one, is the new system's only one until it is made permanent |
 */
export type State = 'idle' | Underway['state'];

export type Arrow = 'begin' | 'complete' | 'try' | 'validate' | 'revert' | 'abandon';

export const MACHINE: Record<State, Partial<Record<Arrow, State>>> = {
  idle: { begin: 'receiving' },
  // Another firmware, or the same again.
  receiving: { begin: 'receiving', complete: 'staged', abandon: 'idle' },
  staged: { begin: 'receiving', try: 'trial', abandon: 'idle' },
  trial: { validate: 'idle', revert: 'idle' },
};

/** What something went wrong in. */
type Where = 'entering' | 'inside' | 'leaving';

/**
 * The states that an update may be found in after an error (an operation of the disk or of the boot loader failed) and after
 * hearthd was killed, in either case at any of the operations that the way into a state, the state, or the way out consists of.
 * From each of them a further update succeeds. fates.test.ts is generated from this. A power cut is crash.test.ts's.
 */
export const FATES: Record<Underway['state'], Record<'error' | 'killed', Record<Where, readonly State[]>>> = {
  receiving: {
    error: { entering: ['idle', 'receiving'], inside: ['receiving'], leaving: ['receiving'] },
    killed: { entering: ['idle', 'receiving'], inside: ['receiving'], leaving: ['receiving', 'staged'] },
  },
  staged: {
    error: { entering: ['receiving'], inside: ['staged'], leaving: ['staged'] },
    killed: { entering: ['receiving', 'staged'], inside: ['staged'], leaving: ['staged', 'trial'] },
  },
  trial: {
    // What cannot be armed is not tried.
    error: { entering: ['staged'], inside: ['trial'], leaving: ['trial'] },
    // Armed, and not booted yet. heart gives a system on trial no second start: the firmware before it boots, and tells.
    killed: { entering: ['staged', 'trial'], inside: ['idle'], leaving: ['idle'] },
  },
};

export function stateOf(record: UpdateRecord): State {
  return record.update?.state ?? 'idle';
}

/** Why the machine goes down when a firmware is to be tried, as heart keeps it for the next boot. */
export function rebootInto(version: string): string {
  return `update to ${version}`;
}

/** How often an orderly reboot during a trial arms the one-shot again. */
export const MAX_REARMED = 3;

/** What is known when hearthd starts. */
export interface BootFacts {
  booted: Slot;
  /** By the boot loader's switch; undefined when it is damaged. */
  preferred: Slot | undefined;
  /** As heart tells it: docs/device.md. */
  resetCause: string;
  /** hearthd has been here before in this boot: what is remembered was brought together then. */
  again: boolean;
}

/** What there is to do first at a start of hearthd. */
export interface AtBoot {
  /** To be written when it differs. */
  record: UpdateRecord;
  /** The switch is to be set to this slot. */
  commit: Slot | undefined;
  /** Whether this system is on trial. */
  trial: boolean;
}

/** Brings together what the boot loader did and what the environment remembers. Pure; doing it twice changes nothing. */
export function atBoot(record: UpdateRecord, facts: BootFacts): AtBoot {
  const { booted, preferred } = facts;
  const { update } = record;
  const steady = (next: UpdateRecord, commit?: Slot): AtBoot => ({ record: next, commit, trial: false });
  // Committed, and then the power went before it could be written down.
  if (update?.into === booted && preferred === booted)
    return steady(ended(record, 'validated', update.reason ?? 'committed'));
  if (update?.state === 'trial' && update.into === booted) return { record, commit: undefined, trial: true };
  // Armed in this very boot: the way down was lost.
  if (update?.state === 'trial' && facts.again) return steady(record);
  if (update?.state === 'trial')
    return steady(ended(record, 'reverted', whyReverted(update, facts.resetCause)), mend(record, facts));
  // It was armed, and nothing says so: a trial all the same.
  if (update?.state === 'staged' && update.into === booted && preferred !== booted)
    return { record: { ...record, update: { ...update, state: 'trial' } }, commit: undefined, trial: true };
  return steady({ ...record, active: booted }, mend(record, facts));
}

/** The end of a trial, of one kind or the other. */
export function ended(record: UpdateRecord, result: Outcome['result'], reason: string): UpdateRecord {
  const { update } = record;
  if (!update) return record;
  const { into, version, uuid } = update;
  const last: Outcome = { result, version, uuid, reason };
  if (result === 'reverted') return { ...record, update: undefined, last };
  const slot = record.slots[into];
  const slots = { ...record.slots, [into]: slot && { ...slot, validated: true } };
  return { ...record, slots, active: into, update: undefined, last };
}

/**
 * The slot that runs is the one to prefer: heart has chosen it where the preferred one did not come up, or the switch is
 * damaged. But one that was never made permanent is not made so by having been booted.
 */
function mend({ slots }: UpdateRecord, { booted, preferred }: BootFacts): Slot | undefined {
  if (booted === preferred) return undefined;
  return preferred === undefined || slots[booted]?.validated ? booted : undefined;
}

function whyReverted({ reason, version }: Underway, resetCause: string): string {
  if (reason) return reason;
  // The last word is of the firmware before it, on its way down.
  if (resetCause === `reboot: ${rebootInto(version)}`)
    return 'it did not start: its kernel was not reached, or ended early';
  if (resetCause.startsWith('unknown')) return 'power-lost';
  if (resetCause === 'watchdog') return 'it hung: the watchdog reset the machine';
  // heart gives no second start on trial, and says how the first one ended.
  if (resetCause.startsWith('reboot: hearthd ')) return resetCause.slice('reboot: '.length);
  return `it did not come up (${resetCause})`;
}
