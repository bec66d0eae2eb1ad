import type { BootInfo } from '../boot-info.ts';
import type { FirmwareInfo } from '../firmware-info.ts';
import { goDown } from '../go-down.ts';
import { PATHS } from '../paths.ts';
import { firstOfBoot, readyLine } from '../ready.ts';
import type { AppState } from './runner.ts';
import { MAX_REBOOTS, rebootReason } from './unhealthy.ts';

export interface StoryEffects {
  say(message: string): void;
  /** Milliseconds since the kernel started. */
  now(): number;
  /** When hearthd's first line ran, by the same clock. */
  hearthdMs: number;
}

/** What a person hears of the app's states, and what its failure does to the device. */
export function tellOfApp(
  info: FirmwareInfo,
  boot: BootInfo,
  { say, now, hearthdMs }: StoryEffects,
): (state: AppState) => void {
  let wasHealthy = false;
  return (state) => {
    if (state.name === 'healthy') {
      if (firstOfBoot(PATHS.ready)) say(readyLine(boot, info, { hearthdMs, appMs: now() }));
      else if (!wasHealthy) say(`the app is healthy again, pid ${state.pid}`);
    }
    wasHealthy = state.name === 'healthy';
    if (state.name === 'failed') failed(state.refused);
  };

  function failed(refused = false): void {
    const { maxRestarts, restartWindowMs } = info.app;
    say(
      refused
        ? 'the app has failed: its configuration is refused at every start. It stays down, the device stays up'
        : `the app has failed: more than ${maxRestarts} restarts in ${restartWindowMs / 1000} s. It stays down, the device stays up`,
    );
    say(
      refused
        ? 'to mend it: set the variables that it names above, and install the new firmware'
        : 'to mend it: run the app on your machine (node src/app.ts), correct what it says above, and install the new firmware',
    );
    if (info.app.onUnhealthy !== 'reboot') return;
    const reason = rebootReason(boot.resetCause);
    if (reason === undefined) {
      say(`${MAX_REBOOTS} reboots have not helped: staying up`);
      return;
    }
    say(`rebooting: ${reason}`);
    goDown('reboot', reason);
  }
}
