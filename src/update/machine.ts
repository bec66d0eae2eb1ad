import type { Slot } from '../archive/variants.ts';
import type { Outcome, Underway, UpdateRecord } from './record.ts';

/**
 * The states of an update, and all that leads from one to the next. What a state does is in `engine.ts`, what
 * is remembered of it in the environment: so every arrow here is one write of one copy of it, and a cut leaves
 * the state before or the one after.
 *
 * | state | what is done | an error | killed, or power lost |
 * | --- | --- | --- | --- |
 * | idle | nothing | – | idle |
 * | receiving | the inactive slot is written, chunk by verified chunk | receiving: the sender may go on | receiving: resumed by looking at what the slot holds |
 * | staged | the whole slot has been read back and is what was signed | idle: it cannot be tried | staged |
 * | trial | the new system runs, once | reverted | the other slot boots: reverted |
 * | validated, reverted | how it ended; idle | – | – |
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
  if (update?.state === 'trial')
    return steady(ended(record, 'reverted', whyReverted(update, facts.resetCause)), mend(facts));
  // It was armed, and nothing says so: a trial all the same.
  if (update?.state === 'staged' && update.into === booted && preferred !== booted)
    return { record: { ...record, update: { ...update, state: 'trial' } }, commit: undefined, trial: true };
  return steady({ ...record, active: booted }, mend(facts));
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

/** The slot that runs is the one to prefer: heart has chosen it where the preferred one did not come up, or the switch is damaged. */
function mend({ booted, preferred }: BootFacts): Slot | undefined {
  return booted === preferred ? undefined : booted;
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
