import { randomBytes } from 'node:crypto';
import type { Disk } from '../update/disk.ts';
import { type Identity, IdentityStore } from '../update/identity.ts';

/** Who this device is, for all services: what they read and change takes turns. */
export class DeviceIdentity {
  readonly #disk: () => Promise<Disk>;
  readonly #boardSerial: string | undefined;
  #store: Promise<IdentityStore> | undefined;
  #last: Promise<unknown> = Promise.resolve();

  /** @param boardSerial the board's own number; undefined where it has none */
  constructor(disk: () => Promise<Disk>, boardSerial: string | undefined) {
    this.#disk = disk;
    this.#boardSerial = boardSerial;
  }

  read(): Promise<Identity> {
    return this.change((identity) => identity);
  }

  /**
   * Resolves when it is on the disk. A change that throws changes nothing.
   * @param change gets what is there, and gives what is to be; the same object for no change
   */
  change(change: (identity: Identity) => Identity | Promise<Identity>): Promise<Identity> {
    const changed = this.#last.then(async () => {
      const store = await this.#opened();
      const before = store.identity ?? {
        serial: this.#boardSerial ?? randomBytes(8).toString('hex'),
        operatorKeys: [],
      };
      const after = await change(before);
      if (after !== before || store.identity === undefined) await store.write(after);
      return after;
    });
    this.#last = changed.catch(() => {});
    return changed;
  }

  #opened(): Promise<IdentityStore> {
    this.#store ??= this.#disk().then(IdentityStore.open);
    const store = this.#store;
    // Another time the disk may answer.
    store.catch(() => {
      if (this.#store === store) this.#store = undefined;
    });
    return store;
  }
}
