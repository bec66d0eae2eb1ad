import { FormatError } from '../errors.ts';
import { encodeEnv, nextEnv, type PickedEnv, pickEnv } from '../formats/ubootenv.ts';
import type { Disk } from './disk.ts';
import { ENV } from './layout.ts';
import { envOf, recordOf, type SlotRecord, type UpdateRecord } from './record.ts';

/**
 * The environment of a disk that was flashed, both copies: slot a holds the firmware and is validated from the
 * start (only updates have a trial), slot b is empty.
 */
export function flashedEnv({
  version,
  uuid,
  product,
  target,
}: Omit<SlotRecord, 'validated' | 'installed'>): Uint8Array[] {
  const values = envOf({
    active: 'a',
    slots: { a: { version, uuid, product, target, validated: true, installed: undefined }, b: undefined },
    update: undefined,
    last: undefined,
    floor: undefined,
  });
  // Counters 1 and 0: the first copy is the newer one, and the next write goes to the second.
  return [encodeEnv({ values, flags: 1 }, ENV.size), encodeEnv({ values, flags: 0 }, ENV.size)];
}

/** The redundant environment of a disk: each write goes to the copy that does not count, so that a cut leaves the other. */
export class EnvStore {
  readonly #disk: Disk;
  #current: PickedEnv;
  /** Why there is nothing, or nothing of one copy. */
  readonly problem: string | undefined;

  private constructor(disk: Disk, current: PickedEnv, problem: string | undefined) {
    this.#disk = disk;
    this.#current = current;
    this.problem = problem;
  }

  /** Two bad copies are an empty environment: an update must be possible all the same. */
  static async open(disk: Disk): Promise<EnvStore> {
    const [first, second] = await Promise.all(ENV.offsets.map((offset) => disk.read(offset, ENV.size)));
    try {
      const picked = pickEnv(first ?? new Uint8Array(), second ?? new Uint8Array());
      return new EnvStore(disk, picked, picked.problem);
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      const empty: PickedEnv = { values: new Map(), flags: 0, copy: 1, problem: undefined };
      return new EnvStore(disk, empty, error.message);
    }
  }

  get record(): UpdateRecord {
    return recordOf(this.#current.values);
  }

  /** Resolves when it is on the disk. Writes nothing where nothing changes. One at a time. */
  async write(record: UpdateRecord): Promise<void> {
    const values = envOf(record);
    if (same(values, this.#current.values)) return;
    const { copy, bytes } = nextEnv(this.#current, values, ENV.size);
    await this.#disk.writeAlone(ENV.offsets[copy], bytes);
    this.#current = pickedAs(copy, values, (this.#current.flags + 1) & 0xff);
  }
}

function pickedAs(copy: 0 | 1, values: Map<string, string>, flags: number): PickedEnv {
  return { copy, values, flags, problem: undefined };
}

function same(a: ReadonlyMap<string, string>, b: ReadonlyMap<string, string>): boolean {
  return a.size === b.size && [...a].every(([key, value]) => b.get(key) === value);
}
