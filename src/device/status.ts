import { renameSync, writeFileSync } from 'node:fs';
import type { DataState } from '../otp/device.ts';
import { CallError, named, Server, TimeoutError } from '../otp/index.ts';
import type { AppState } from './app/runner.ts';
import type { AppServer } from './app/server.ts';
import type { Data } from './data/server.ts';
import type { Lease } from './network/lease.ts';
import type { Network } from './network/service.ts';

/** `/run/hearth/status.json`: what is going on, for a shell on the device. */
export interface Status {
  app: AppState;
  data: DataState | 'preparing';
  network: Record<string, Lease>;
}

/** Events come in bursts; the file is for people. */
const SETTLE_MS = 100;

/** Writes the file soon after something has changed. It asks the services themselves, so that none of this can be out of date. */
export class StatusFile extends Server {
  #path = '';
  #pending = false;
  /** What was last known of a service that is being started anew right now; it says so when it is there. */
  #last: Status = { app: { name: 'stopped' }, data: 'preparing', network: {} };

  override init(path: string): void {
    this.#path = path;
    this.changed();
  }

  changed(): void {
    if (!this.#pending) this.sendAfter(SETTLE_MS, 'write');
    this.#pending = true;
  }

  override async info(): Promise<void> {
    this.#pending = false;
    const [app, data, network] = await Promise.all([
      known(named<AppServer>('app').call('state'), this.#last.app),
      known(named<Data>('data').call('state'), this.#last.data),
      known(named<Network>('network').call('leases'), this.#last.network),
    ]);
    this.#last = { app, data, network };
    try {
      writeFileSync(`${this.#path}.new`, `${JSON.stringify(this.#last)}\n`);
      renameSync(`${this.#path}.new`, this.#path);
    } catch {
      // /run is full: the device goes on without the file.
    }
  }
}

/** What a service answers, or `last` when it is being started anew right now. */
export async function known<T, L>(answer: Promise<T>, last: L): Promise<T | L> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof CallError || error instanceof TimeoutError) return last;
    throw error;
  }
}
