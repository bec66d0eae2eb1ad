import { FwError } from '../../errors.ts';
import type { OneShot } from '../../update/boot/control.ts';
import { readPiLoader, requireOneShot } from '../../update/boot/pi-loader.ts';
import { describe, type Exec } from '../exec.ts';

/** heart knows how this machine is told to boot a slot once. */
export function heartOneShot(exec: Exec, heart: string): OneShot {
  return {
    ready: async () => requireOneShot(await readPiLoader()),
    async arm(slot) {
      const result = await exec(heart, ['one-shot', slot], { timeoutMs: 30_000 });
      if (result.code === 0) return;
      throw new FwError(
        'one-shot-failed',
        `slot ${slot} cannot be tried: ${describe('heart one-shot', result)}`,
        {
          expected: 'a boot loader that can be told to boot a slot once',
          remedy: 'Reboot the device and send the update again.',
        },
      );
    },
  };
}
