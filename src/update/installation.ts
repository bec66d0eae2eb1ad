import type { Head } from '../archive/head.ts';
import { FwError } from '../errors.ts';
import type { Disk } from './disk.ts';
import { ahead, Behind, byTurns } from './pipeline.ts';
import { type ChunkId, chunksOf, type SlotStore } from './slot.ts';

export interface InstallationParts {
  disk: Disk;
  /** The slot that is written: never the one that runs. */
  into: SlotStore;
  running: SlotStore;
  /** Of the firmware that runs, verified; undefined where its slot has none. */
  runningHead: Head | undefined;
}

/** Chunks that are asked for at a time, of a MiB at most: as one read of the disk holds four, the next read is there when one ends. */
const READ_AHEAD = 8;

/**
 * The way of one firmware into the inactive slot. Nothing is journalled: which chunks are there already is found by reading
 * the slots, and every chunk is written only when its bytes are what was signed. What the running slot has is copied at once, by
 * the one read that shows that it is right.
 */
export class Installation {
  readonly head: Head;
  readonly #parts: InstallationParts;
  /** By payload and index. */
  readonly #missing = new Map<string, ChunkId>();

  private constructor(parts: InstallationParts, head: Head) {
    this.#parts = parts;
    this.head = head;
  }

  /** @param resumed whether the slot was being given this very firmware when something came between */
  static async begin(parts: InstallationParts, head: Head, resumed: boolean): Promise<Installation> {
    const installation = new Installation(parts, head);
    // First: a slot must not say that it holds what is no longer whole.
    if (!resumed) await parts.into.writeHead(head.bytes);
    await parts.disk.flush();
    await installation.#fill(resumed);
    return installation;
  }

  /** What the sender has to send, in the order of the file. */
  get missing(): readonly ChunkId[] {
    return [...this.#missing.values()];
  }

  /** Bytes that need not be sent, of all that the slot will hold. */
  get saved(): { bytes: number; of: number } {
    const sum = (ids: Iterable<ChunkId>): number =>
      [...ids].reduce((total, { chunk }) => total + chunk.size, 0);
    const of = sum(chunksOf(this.head));
    return { bytes: of - sum(this.#missing.values()), of };
  }

  /**
   * @param bytes verified
   * @returns whether it was waited for; another is dropped. From the call on it is not missing any more: when it cannot be
   * written, this rejects, and the installation is not to be gone on with.
   */
  async put(payload: string, index: number, bytes: Uint8Array): Promise<boolean> {
    const key = keyOf(payload, index);
    const id = this.#missing.get(key);
    if (!id) return false;
    this.#missing.delete(key);
    await this.#parts.into.write(id, bytes);
    return true;
  }

  /**
   * Reads the whole slot back from the medium.
   * @throws FwError `update-incomplete`, `slot-readback`
   */
  async finish(onProgress: (done: number, total: number) => void = () => {}): Promise<void> {
    const { disk, into } = this.#parts;
    const [first] = this.#missing.values();
    if (first) {
      throw new FwError('update-incomplete', `${this.#missing.size} chunks have not come`, {
        where: `payload/${first.payload.name}, chunk ${first.index}`,
        expected: 'every chunk that was asked for',
        remedy: 'Send the firmware again: what is there already is not sent twice.',
      });
    }
    await disk.flush();
    const all = chunksOf(this.head);
    let done = 0;
    const memory = byTurns(READ_AHEAD);
    const read = (id: ChunkId) => into.read(id, memory(id.chunk.size));
    for await (const { item, made } of ahead(all, READ_AHEAD, read)) {
      if (!made) throw unreadable(item, into.slot);
      onProgress(++done, all.length);
    }
  }

  /** Copies what the running slot has; what neither slot has is missing. */
  async #fill(resumed: boolean): Promise<void> {
    const { into, running, runningHead } = this.#parts;
    const here = new Map(
      (runningHead ? chunksOf(runningHead) : []).map((id) => [id.chunk.sha256.toString('hex'), id]),
    );
    // One more is being written.
    const memory = byTurns(READ_AHEAD + 1);
    const find = async (id: ChunkId): Promise<Uint8Array | 'there' | undefined> => {
      const place = memory(id.chunk.size);
      if (resumed && (await into.read(id, place))) return 'there';
      const copy = here.get(id.chunk.sha256.toString('hex'));
      return copy && running.read(copy, place);
    };
    const behind = new Behind();
    try {
      for await (const { item, made } of ahead(chunksOf(this.head), READ_AHEAD, find)) {
        if (!made) this.#missing.set(keyOf(item.payload.name, item.index), item);
        else if (made !== 'there') await behind.begin(() => into.write(item, made));
      }
      await behind.ended;
    } finally {
      await behind.settled;
    }
  }
}

function keyOf(payload: string, index: number): string {
  return `${payload}/${index}`;
}

function unreadable({ payload, index, chunk }: ChunkId, slot: string): FwError {
  return new FwError('slot-readback', `slot ${slot} does not hold what was written to it`, {
    where: `payload/${payload.name}, chunk ${index}, byte ${chunk.offset}`,
    expected: `SHA-256 ${chunk.sha256.toString('hex')}`,
    remedy: 'Try once more; if it stays so, the disk is failing: replace it.',
  });
}
