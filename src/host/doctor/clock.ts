import { type Finding, note, ok } from './finding.ts';
import type { Host } from './host.ts';

const YEAR_MS = 365 * 86_400_000;
/** Longer than any version of Hearth will be in use. */
const LIFETIME_MS = 15 * YEAR_MS;

/**
 * Whether the clock can be right: it is now, so it is after the packages were locked. A clock that is wrong by years
 * makes every certificate look expired, or not valid yet.
 */
export function checkClock(host: Host, nowMs: number, lockDates: readonly string[]): Finding {
  const newest = Math.max(...lockDates.map((date) => Date.parse(date)));
  const today = new Date(nowMs).toISOString().slice(0, 10);
  if (nowMs >= newest && nowMs < newest + LIFETIME_MS) return ok('clock', `${today}, which can be right`);
  const remedy =
    host.platform === 'darwin'
      ? "Switch on 'Set time and date automatically' in the system settings."
      : `${host.root ? '' : 'sudo '}timedatectl set-ntp true`;
  return note('clock', `it says ${today}, which is wrong: servers' certificates will be refused`, remedy);
}
