import { Server, Task } from '../../otp/index.ts';
import type { Disk } from '../../update/disk.ts';
import type { Exec } from '../exec.ts';
import type { SshOptions } from './keys.ts';

export interface SshEffects {
  exec: Exec;
  disk(): Promise<Disk>;
  say(message: string): void;
  turn: Promise<void>;
}

/** Opens SSH: heart runs the daemon, so that it outlives hearthd. */
export class Ssh extends Server {
  override init(options: SshOptions, { exec, disk, say, turn }: SshEffects): void {
    Task.async(async function ssh() {
      await turn;
      try {
        const { openSsh } = await import('./keys.ts');
        await openSsh(await disk(), options, exec);
      } catch (error) {
        // The device is of use without it, and starting hearthd anew would not mend a disk.
        say(`SSH is closed: ${(error as Error).message}`);
      }
    });
  }
}
