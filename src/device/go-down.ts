import { writeFileSync } from 'node:fs';
import { PATHS } from './paths.ts';

/** heart's signals for the two ways down, both in good order: docs/device.md. */
const SIGNALS = { reboot: 'SIGTERM', 'power-off': 'SIGUSR2' } as const;

/** @param reason what heart records, and the next boot tells; undefined: the user wanted it */
export function goDown(how: keyof typeof SIGNALS, reason?: string): void {
  if (reason !== undefined) writeFileSync(PATHS.reason, `${reason}\n`);
  process.kill(1, SIGNALS[how]);
}
