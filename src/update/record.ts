import type { Slot } from '../archive/variants.ts';
import { compareVersions, isVersion } from '../archive/version.ts';

/** What the environment remembers between boots of an update: docs/update.md. Everything else is read from the disk itself. */
export interface UpdateRecord {
  /** The slot that was committed last. The boot loader's own switch goes before it: `atBoot` brings them together. */
  active: Slot;
  slots: Record<Slot, SlotRecord | undefined>;
  /** The update under way. */
  update: Underway | undefined;
  /** How the last one ended. */
  last: Outcome | undefined;
  /** Nothing below this version is accepted. Only ever rises. */
  floor: string | undefined;
}

export interface SlotRecord {
  version: string;
  uuid: string;
  product: string;
  target: string;
  /** Whether it was ever made permanent here, by a trial or by being flashed. */
  validated: boolean;
  /** ISO 8601, by the device's clock; undefined for what was flashed. */
  installed: string | undefined;
}

export interface Underway {
  /** 'trial' is written before the one-shot is armed. */
  state: 'receiving' | 'staged' | 'trial';
  into: Slot;
  version: string;
  uuid: string;
  /** The link by which it came: `ssh`, `mqtt`, `file`. */
  via: string;
  /** How often an orderly reboot has armed the one-shot again. */
  rearmed: number;
  /** Why the trial has failed, when the system under trial could still say it. */
  reason: string | undefined;
}

export interface Outcome {
  result: 'validated' | 'reverted';
  version: string;
  uuid: string;
  /** e.g. `healthy for 30 s`, `the app has failed`, `power-lost`. */
  reason: string;
}

const SLOTS: readonly Slot[] = ['a', 'b'];
const STATES: readonly string[] = ['receiving', 'staged', 'trial'];
/** A reason comes from an app's mouth, and the environment is small. */
const MAX_REASON = 300;

/** Total: what is not as it should be counts as not there. */
export function recordOf(env: ReadonlyMap<string, string>): UpdateRecord {
  return {
    active: slotIn(env.get('active')) ?? 'a',
    slots: { a: slotRecord(env, 'a'), b: slotRecord(env, 'b') },
    update: underway(env),
    last: outcome(env),
    floor: env.get('floor'),
  };
}

/** The variables for a record, and nothing but those: unknown ones are not carried on. */
export function envOf(record: UpdateRecord): Map<string, string> {
  const { update, last, floor } = record;
  const env = new Map<string, string>([['active', record.active]]);
  const put = (key: string, value: string | number | undefined): void => {
    const text = value === undefined ? '' : oneLine(String(value));
    if (text !== '') env.set(key, text);
  };
  for (const slot of SLOTS) {
    const facts = record.slots[slot];
    if (!facts) continue;
    const { validated, ...rest } = facts;
    for (const [key, value] of Object.entries(rest)) put(`${slot}.${key}`, value);
    if (validated) put(`${slot}.validated`, 1);
    if (mayFallBack(facts, floor)) put(`${slot}.fallback`, 1);
  }
  if (update) for (const [key, value] of Object.entries(update)) put(`update.${key}`, value);
  if (last) for (const [key, value] of Object.entries(last)) put(`last.${key}`, value);
  put('floor', floor);
  return env;
}

/** Whether heart may boot a slot by itself when the other one does not come up. It reads the answer: C compares no versions. */
function mayFallBack({ validated, version }: SlotRecord, floor: string | undefined): boolean {
  if (!validated || floor === undefined) return validated;
  return isVersion(version) && isVersion(floor) && compareVersions(version, floor) >= 0;
}

function slotIn(text: string | undefined): Slot | undefined {
  return SLOTS.find((slot) => slot === text);
}

function slotRecord(env: ReadonlyMap<string, string>, slot: Slot): SlotRecord | undefined {
  const of = (key: string): string => env.get(`${slot}.${key}`) ?? '';
  const [version, uuid] = [of('version'), of('uuid')];
  if (version === '' || uuid === '') return undefined;
  const installed = of('installed') || undefined;
  return {
    ...{ version, uuid, product: of('product'), target: of('target') },
    ...{ validated: of('validated') === '1', installed },
  };
}

function underway(env: ReadonlyMap<string, string>): Underway | undefined {
  const of = (key: string): string => env.get(`update.${key}`) ?? '';
  const [state, into] = [of('state'), slotIn(of('into'))];
  if (!STATES.includes(state) || into === undefined) return undefined;
  return {
    state: state as Underway['state'],
    into,
    ...{ version: of('version'), uuid: of('uuid'), via: of('via') },
    rearmed: Number(of('rearmed')) || 0,
    reason: of('reason') || undefined,
  };
}

function outcome(env: ReadonlyMap<string, string>): Outcome | undefined {
  const of = (key: string): string => env.get(`last.${key}`) ?? '';
  const result = of('result');
  if (result !== 'validated' && result !== 'reverted') return undefined;
  return { result, version: of('version'), uuid: of('uuid'), reason: of('reason') };
}

/** Control characters and halves of surrogate pairs would be refused, or end up on somebody's terminal. */
function oneLine(text: string): string {
  return text
    .toWellFormed()
    .replace(/\p{Cc}+/gu, ' ')
    .trim()
    .slice(0, MAX_REASON)
    .toWellFormed();
}
