import { existsSync, writeFileSync } from 'node:fs';
import type { BootInfo } from './boot-info.ts';
import type { FirmwareInfo } from './firmware-info.ts';

/** Milliseconds since the kernel started, of this hearthd's first line and of the app's first `health.ok`. */
export interface ReadyTimes {
  hearthdMs: number;
  appMs: number;
}

/** The line that scripts wait for (docs/device.md). One a boot. */
export function readyLine(
  boot: Pick<BootInfo, 'target' | 'slot' | 'uuid' | 'kernelMs'>,
  info: Pick<FirmwareInfo, 'version'>,
  times: ReadyTimes,
): string {
  return [
    `ready target=${boot.target} slot=${boot.slot} version=${info.version} uuid=${boot.uuid}`,
    `kernel_ms=${Math.round(boot.kernelMs)} hearthd_ms=${Math.round(times.hearthdMs)} app_ms=${Math.round(times.appMs)}`,
  ].join(' ');
}

/** Whether this is the first call of this boot: hearthd may have been restarted since. */
export function firstOfBoot(marker: string): boolean {
  if (existsSync(marker)) return false;
  writeFileSync(marker, '');
  return true;
}
