import { createHash } from 'node:crypto';
import { rm, stat } from 'node:fs/promises';
import { type FirmwareFile, openFirmware } from '../../archive/open.ts';
import { FwError } from '../../errors.ts';
import type { Cache } from '../cache.ts';

/** The firmware that was sent to devices, by its UUID: with what runs there at hand, an update is the difference to it. */
export class KnownFirmware {
  readonly #cache: Cache;

  constructor(cache: Cache) {
    this.#cache = cache;
  }

  /** @throws FwError when the cache cannot be written */
  async keep({ path, size, manifest }: Pick<FirmwareFile, 'path' | 'size' | 'manifest'>): Promise<void> {
    const key = keyOf(manifest.uuid);
    const there = await stat(this.#cache.path('firmware', key)).catch(() => undefined);
    if (there?.size === size) await this.#cache.used('firmware', key);
    else await this.#cache.putFile('firmware', key, path);
  }

  /** The firmware, opened; undefined when it is not here, or no longer what it was. */
  async find(uuid: string): Promise<FirmwareFile | undefined> {
    const key = keyOf(uuid);
    const path = this.#cache.path('firmware', key);
    if (!(await stat(path).catch(() => undefined))) return undefined;
    try {
      // Who signed it does not matter for what it is good for; that each chunk is what its table says is checked as it is read.
      const found = await openFirmware(path, { trust: 'self' });
      if (found.manifest.uuid === uuid) {
        await this.#cache.used('firmware', key);
        return found;
      }
      await found.close();
    } catch (error) {
      if (!(error instanceof FwError)) throw error;
    }
    // Damaged: it would never be of use, and the next upload puts a whole one here.
    await rm(path, { force: true });
    return undefined;
  }
}

/** A hash, as all names in the cache are. */
function keyOf(uuid: string): string {
  return createHash('sha256').update(uuid).digest('hex');
}
