import type { AppState } from '../app/runner.ts';
import type { FirmwareInfo } from '../firmware-info.ts';

/** What is known of the system on trial. Times are milliseconds since the kernel started. */
export interface TrialFacts {
  now: number;
  app: AppState;
  /** Since when without a break; undefined: not now. */
  healthySince: number | undefined;
  /** When its event loop last gave a sign: nobody knows how it has been since. Undefined when nobody knows at all. */
  heard: number | undefined;
  /** The link by which the update came: `ssh`; for one that cannot come back (`file`) nobody is waited for. */
  via: string;
  /** Somebody has come back over that link. */
  reachable: boolean;
}

export type Verdict =
  /** @param at when to look again, at the latest */
  { kind: 'wait'; at: number } | { kind: 'validate'; reason: string } | { kind: 'revert'; reason: string };

/** Links that the sender comes back by. */
const TWO_WAY: readonly string[] = ['ssh', 'mqtt', 'http'];

/** How often is looked for the sign that is still missing. */
const SIGN_MS = 500;

/** What becomes of the system on trial: a matter of what is known of it, and of nothing else. */
export function verdictOf(facts: TrialFacts, rules: FirmwareInfo['update']): Verdict {
  const { now, app, healthySince, heard = 0 } = facts;
  const [healthyMs, deadline] = [rules.healthySeconds * 1000, rules.trialSeconds * 1000];
  if (app.name === 'failed') return { kind: 'revert', reason: `the app has failed: ${app.reason}` };
  const healthyAt = healthySince === undefined ? Infinity : healthySince + healthyMs;
  // An app that hangs right after its first word counts as healthy until it is killed for that.
  const healthy = healthyAt <= Math.min(now, heard);
  const reached = facts.reachable || !TWO_WAY.includes(facts.via);
  if (rules.validate === 'auto' && reached && healthy)
    return { kind: 'validate', reason: reasonToStay(facts, rules) };
  if (now >= deadline) return { kind: 'revert', reason: reasonToGo(facts, rules, healthy) };
  if (healthy) return { kind: 'wait', at: deadline };
  return { kind: 'wait', at: Math.min(healthyAt > now ? healthyAt : now + SIGN_MS, deadline) };
}

function reasonToStay({ via, reachable }: TrialFacts, { healthySeconds }: FirmwareInfo['update']): string {
  return `healthy for ${healthySeconds} s${reachable ? `, and reached by ${via}` : ''}`;
}

function reasonToGo({ app, via }: TrialFacts, rules: FirmwareInfo['update'], healthy: boolean): string {
  const { trialSeconds, healthySeconds, validate } = rules;
  if (!healthy) {
    const why = 'reason' in app ? ` (${app.name}: ${app.reason})` : ` (${app.name})`;
    return `the app was not healthy for ${healthySeconds} s within ${trialSeconds} s${why}`;
  }
  return validate === 'manual'
    ? `nobody validated it within ${trialSeconds} s`
    : `nobody came back by ${via} within ${trialSeconds} s`;
}
