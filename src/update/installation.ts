import type { Head } from '../archive/head.ts';
import { FwError } from '../errors.ts';
import type { Disk } from './disk.ts';
import { type ChunkId, chunksOf, type SlotStore } from './slot.ts';

export interface InstallationParts {
  disk: Disk;
  /** The slot that is written: never the one that runs. */
  into: SlotStore;
  running: SlotStore;
  /** Of the firmware that runs, verified; undefined where its slot has none. */
  runningHead: Head | undefined;
}

/** Where the bytes of a chunk are already. */
type Source = 'there' | { copy: ChunkId };

/**
 * The way of one firmware into the inactive slot. Nothing is journalled: which chunks are there already is found by reading
 * the slot, and every chunk is written only when its bytes are what was signed.
 */
export class Installation {
  readonly head: Head;
  readonly #parts: InstallationParts;
  readonly #sources = new Map<ChunkId, Source>();
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
    await installation.#look(resumed);
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
   * Copies what the running slot has, and reads the whole slot back from the medium.
   * @throws FwError `update-incomplete`, `slot-readback`
   */
  async finish(onProgress: (done: number, total: number) => void = () => {}): Promise<void> {
    const { disk, into, running } = this.#parts;
    const [first] = this.#missing.values();
    if (first) {
      throw new FwError('update-incomplete', `${this.#missing.size} chunks have not come`, {
        where: `payload/${first.payload.name}, chunk ${first.index}`,
        expected: 'every chunk that was asked for',
        remedy: 'Send the firmware again: what is there already is not sent twice.',
      });
    }
    for (const [id, source] of this.#sources) {
      if (source === 'there') continue;
      const bytes = await running.read(source.copy);
      // It was right a moment ago: a medium that fails.
      if (!bytes) throw unreadable(id, running.slot);
      await into.write(id, bytes);
    }
    await disk.flush();
    const all = chunksOf(this.head);
    for (const [done, id] of all.entries()) {
      if (!(await into.read(id))) throw unreadable(id, into.slot);
      onProgress(done + 1, all.length);
    }
  }

  async #look(resumed: boolean): Promise<void> {
    const { into, running, runningHead } = this.#parts;
    const here = new Map(
      (runningHead ? chunksOf(runningHead) : []).map((id) => [id.chunk.sha256.toString('hex'), id]),
    );
    for (const id of chunksOf(this.head)) {
      if (resumed && (await into.read(id))) {
        this.#sources.set(id, 'there');
        continue;
      }
      const copy = here.get(id.chunk.sha256.toString('hex'));
      if (copy && (await running.read(copy))) this.#sources.set(id, { copy });
      else this.#missing.set(keyOf(id.payload.name, id.index), id);
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
