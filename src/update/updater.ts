import { type Head, parseHead, type ReadOptions } from '../archive/head.ts';
import type { Manifest } from '../archive/manifest.ts';
import type { Slot } from '../archive/variants.ts';
import { compareVersions } from '../archive/version.ts';
import { FwError } from '../errors.ts';
import type { Extent } from '../formats/bytes.ts';
import { type BootControl, bootControl, type OneShot } from './boot/control.ts';
import type { Disk } from './disk.ts';
import { EnvStore } from './env.ts';
import { Installation } from './installation.ts';
import { type Arrow, atBoot, ended, MACHINE, MAX_REARMED, type State, stateOf } from './machine.ts';
import { findPlaces, type Places } from './places.ts';
import type { SlotRecord, UpdateRecord } from './record.ts';
import { SlotStore } from './slot.ts';
import { SLOT_HEAD_AREA } from './slot-head.ts';

/** What the engine knows of the machine and of the firmware that runs. */
export interface UpdaterParts {
  disk: Disk;
  table: 'gpt' | 'mbr';
  booted: Slot;
  /** As heart tells it. */
  resetCause: string;
  /** Whether there was an updater before in this boot. */
  again: boolean;
  oneShot: OneShot;
  /** The public keys, lines of OpenSSH, whose firmware the running one accepts. None means nothing is accepted. */
  trustedKeys: readonly string[];
  device: { product: string; target: string; arch: Manifest['arch'] };
  /** Of the running firmware. */
  versionFloor: string | undefined;
  now(): Date;
}

/** The update engine: takes a firmware into the inactive slot, has it tried, makes it permanent or gives it up. */
export class Updater {
  readonly #parts: UpdaterParts;
  readonly #places: Places;
  readonly #env: EnvStore;
  readonly #boot: BootControl;
  #runningHead: Promise<Head | undefined> | undefined;
  /** Whether this very system is on trial. */
  trial = false;

  private constructor(parts: UpdaterParts, places: Places, env: EnvStore) {
    this.#parts = parts;
    this.#places = places;
    this.#env = env;
    this.#boot = bootControl(parts.disk, places, parts.booted, parts.oneShot);
  }

  /** Looks at what the last boots did, and brings what is remembered in line with it. */
  static async open(parts: UpdaterParts): Promise<Updater> {
    const places = findPlaces(parts.disk, parts.table);
    const updater = new Updater(parts, places, await EnvStore.open(parts.disk));
    await updater.#atBoot();
    return updater;
  }

  get record(): UpdateRecord {
    return this.#env.record;
  }

  get state(): State {
    return stateOf(this.record);
  }

  /** A firmware is to be tried at the next boot, and this is not that boot yet. */
  get isDue(): boolean {
    const { update } = this.record;
    return update?.state === 'trial' && update.into !== this.#parts.booted;
  }

  /** What is wrong with the environment, for the log. */
  get problem(): string | undefined {
    return this.#env.problem;
  }

  /** Nothing below it is accepted: the highest that any firmware that was made permanent here has asked for. */
  get floor(): string | undefined {
    return highest(this.record.floor, this.trial ? undefined : this.#parts.versionFloor);
  }

  /** The slot that runs. */
  get booted(): Slot {
    return this.#parts.booted;
  }

  /** What is known of the firmware that runs. */
  get running(): SlotRecord | undefined {
    return this.record.slots[this.#parts.booted];
  }

  /** Of the firmware that runs; undefined where its slot has none. Looked at once: nothing writes to the slot that runs. */
  runningHead(): Promise<Head | undefined> {
    this.#runningHead ??= this.#head(this.#store(this.#parts.booted)).catch((error: unknown) => {
      this.#runningHead = undefined;
      throw error;
    });
    return this.#runningHead;
  }

  /**
   * Bytes of a payload of the firmware that runs.
   * @throws FwError `running-unknown`
   */
  async readRunning(name: string, extent: Extent): Promise<Uint8Array> {
    const store = this.#store(this.#parts.booted);
    const head = await this.runningHead();
    const payload = head?.manifest.payloads.find((each) => each.name === name);
    if (payload && extent.offset + extent.length <= payload.size) return store.readRange(payload, extent);
    throw new FwError(
      'running-unknown',
      `bytes ${extent.offset} to ${extent.offset + extent.length} of ${name} are not known here`,
      {
        remedy: 'Send the whole file: ssh HOST update < FILE.fw.',
      },
    );
  }

  /** How to read a firmware that is meant for this device. */
  get reading(): ReadOptions {
    const { trustedKeys, device } = this.#parts;
    const { boot, root } = this.#places.slots[this.#other];
    const slots = { boot: boot.length, root: root.length - SLOT_HEAD_AREA, loader: boot.length };
    const floor = this.floor;
    return {
      trust: trustedKeys,
      device: { ...device, ...(floor === undefined ? {} : { versionFloor: floor }), slots },
    };
  }

  /**
   * Begins to take a firmware into the inactive slot, or goes on with it.
   * @param head read with `reading`
   * @param via the link by which it comes
   * @throws FwError `update-busy`; what `OneShot.ready` throws
   */
  async begin(head: Head, via: string): Promise<Installation> {
    this.#arrow('begin');
    await this.#parts.oneShot.ready?.();
    const { record } = this;
    const into = this.#other;
    const { version, uuid } = head.manifest;
    const stores = { into: this.#store(into), running: this.#store(this.#parts.booted) };
    const there = await stores.into.head();
    const resumed = record.update?.uuid === uuid && there !== undefined && head.bytes.equals(there);
    // The slot is nobody's from here on, before its first byte is written.
    await this.#env.write({
      ...record,
      slots: { ...record.slots, [into]: undefined },
      update: { state: 'receiving', into, version, uuid, via, rearmed: 0, reason: undefined },
    });
    const runningHead = await this.runningHead();
    return Installation.begin({ disk: this.#parts.disk, ...stores, runningHead }, head, resumed);
  }

  /**
   * All has come: the slot is read back, and may be tried.
   * @throws FwError as `Installation.finish`
   */
  async complete(
    installation: Installation,
    onProgress?: (done: number, total: number) => void,
  ): Promise<void> {
    this.#arrow('complete');
    await installation.finish(onProgress);
    const { record } = this;
    const { update } = record;
    const { version, uuid, product, target } = installation.head.manifest;
    if (update?.uuid !== uuid) throw new Error('another update has begun meanwhile');
    const installed = this.#parts.now().toISOString();
    await this.#env.write({
      ...record,
      slots: {
        ...record.slots,
        [update.into]: { version, uuid, product, target, validated: false, installed },
      },
      update: { ...update, state: 'staged' },
    });
  }

  /** After an update that has failed: what of it could not be written is told to nobody else. */
  async settle(): Promise<void> {
    await this.#parts.disk.flush().catch(() => {});
  }

  /** Arms the one-shot: the next boot is the trial. Again where that is due already. The caller reboots the machine. */
  async try(): Promise<void> {
    if (!this.isDue) this.#arrow('try');
    const { record } = this;
    const { update } = record;
    if (!update) throw new Error('nothing to try');
    await this.#env.write({ ...record, update: { ...update, state: 'trial' } });
    try {
      await this.#boot.tryOnce(update.into);
    } catch (error) {
      // Nothing will boot it: it can be tried again, or another one sent.
      await this.#env.write({ ...record, update: { ...update, state: 'staged' } });
      throw error;
    }
  }

  /**
   * The machine goes down in good order while this system is on trial: it is tried again, a few times.
   * @returns whether it is
   */
  async rearm(): Promise<boolean> {
    const { record, trial } = this;
    const { update } = record;
    if (!trial || !update || update.reason || update.rearmed >= MAX_REARMED) return false;
    await this.#env.write({ ...record, update: { ...update, rearmed: update.rearmed + 1 } });
    await this.#boot.tryOnce(update.into);
    return true;
  }

  /** Makes the system on trial permanent. */
  async validate(reason: string): Promise<void> {
    this.#arrow('validate');
    this.#onTrial();
    await this.#boot.commit(this.#parts.booted);
    const floor = highest(this.record.floor, this.#parts.versionFloor);
    await this.#env.write({ ...ended(this.record, 'validated', reason), floor });
    this.trial = false;
  }

  /** Gives the system on trial up, and remembers why. The caller reboots the machine, which boots the other slot. */
  async revert(reason: string): Promise<void> {
    this.#arrow('revert');
    this.#onTrial();
    const { record } = this;
    if (record.update) await this.#env.write({ ...record, update: { ...record.update, reason } });
  }

  get #other(): Slot {
    return this.#parts.booted === 'a' ? 'b' : 'a';
  }

  #store(slot: Slot): SlotStore {
    return new SlotStore(this.#parts.disk, slot, this.#places.slots[slot]);
  }

  async #atBoot(): Promise<void> {
    const { booted, resetCause, again } = this.#parts;
    const { record, commit, trial } = atBoot(this.record, {
      booted,
      preferred: await this.#boot.preferred(),
      ...{ resetCause, again },
    });
    if (commit) await this.#boot.commit(commit);
    await this.#env.write(record);
    this.trial = trial;
  }

  /** Who signed it does not matter for what it is good for: to find bytes that are there already. */
  async #head(store: SlotStore): Promise<Head | undefined> {
    const bytes = await store.head();
    if (!bytes) return undefined;
    try {
      return await parseHead(bytes, { trust: 'self' });
    } catch (error) {
      // Then nothing is there already, and everything is sent.
      if (error instanceof FwError) return undefined;
      throw error;
    }
  }

  #arrow(arrow: Arrow): void {
    if (MACHINE[this.state][arrow]) return;
    throw new FwError('update-busy', `cannot ${arrow} an update: the state is ${this.state}`, {
      expected: Object.keys(MACHINE[this.state]).join(' or '),
      remedy:
        this.state === 'trial'
          ? 'Wait for the end of the trial, or end it with validate or revert.'
          : 'Send an update first.',
    });
  }

  #onTrial(): void {
    if (this.trial) return;
    throw new FwError('update-not-on-trial', 'this system is not on trial', {
      remedy: 'The machine has not booted the new system yet: reboot it.',
    });
  }
}

function highest(a: string | undefined, b: string | undefined): string | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return compareVersions(a, b) >= 0 ? a : b;
}
