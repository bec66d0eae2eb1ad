import { spawnSync } from 'node:child_process';

/** Negative, 0 or positive, as in sort(). */
export type VersionOrder = (a: string, b: string) => number;

/** Debian's own order of versions ('1.0~rc1' is before '1.0'), by Debian's own program. */
export const debianOrder: VersionOrder = (a, b) => (holds(a, 'gt', b) ? 1 : holds(a, 'lt', b) ? -1 : 0);

function holds(a: string, operator: string, b: string): boolean {
  const { status, error, stderr } = spawnSync('dpkg', ['--compare-versions', a, operator, b]);
  if (status === 0 || status === 1) return status === 0;
  throw error ?? new Error(`dpkg --compare-versions ${a} ${operator} ${b}: ${stderr}`);
}
