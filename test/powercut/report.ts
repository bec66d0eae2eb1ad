import type { CutReport } from './campaign.ts';

export function describeCut({ scene, change, changes, loss, came, seconds, ok }: CutReport): string {
  const verdict = ok ? `up with ${came}, and took a further update` : `FAILED: ${came}`;
  return `${scene}, after change ${change} of about ${changes} (${loss}): ${verdict} (${seconds} s)`;
}
