import { Server, type ServerRef, Task } from '../../otp/index.ts';
import type { Exec } from '../exec.ts';
import type { DeviceIdentity } from '../identity.ts';
import type { SshOptions } from './keys.ts';

export interface SshEffects {
  exec: Exec;
  identity: DeviceIdentity;
  say(message: string): void;
  turn: Promise<void>;
}

/** Opens SSH: heart runs the daemon, so that it outlives hearthd. */
export class Ssh extends Server {
  #open: () => Promise<unknown> = async () => {};

  override init(options: SshOptions, { exec, identity, say, turn }: SshEffects): void {
    this.#open = async () => {
      const { openSsh } = await import('../later.ts');
      return openSsh(identity, options, exec);
    };
    const me: ServerRef<Ssh> = this.self;
    Task.async(async function ssh() {
      await turn;
      const error = await me.within(Infinity).call('renew');
      if (error) say(`SSH is closed: ${error.message}`);
    });
  }

  /**
   * Who may log in has changed: it is so when this is answered. An error is an answer: the device is of use without SSH, and
   * starting anew would not mend a disk.
   */
  renew() {
    return this.later(
      this.#open().then(
        () => undefined,
        (error: Error) => error,
      ),
    );
  }
}
