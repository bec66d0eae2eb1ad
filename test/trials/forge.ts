import { execFileSync } from 'node:child_process';
import { mkdir, open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cacheDir } from '../../bin/pinned-node.js';
import { openFirmware, type PayloadInput, writeFirmware } from '../../src/archive/index.ts';
import { fileSigner } from '../../src/archive/signer.ts';
import { Cache } from '../../src/build/cache.ts';
import type { FirmwareConfig } from '../../src/project/schema.ts';
import { buildApp } from '../firmware.ts';
import { type BlockCache, cutsOf, type Damage, wholePayload } from './damage.ts';

/** What is to be built: an app that works, unless told otherwise. */
export interface Recipe {
  app?: string;
  config?: Partial<FirmwareConfig>;
  damage?(cache: BlockCache): Damage;
}

export interface Built {
  path: string;
  version: string;
  uuid: string;
}

const GOOD = "import { run } from 'hearthfw';\nrun(() => {});\n";
/** An emulated machine on a loaded computer must get through a boot in the time of a trial. */
export const RULES = { healthySeconds: 2, trialSeconds: 280, validate: 'auto' } as const;

/** The keys of one product, and its firmware: good and bad, all of it rightly signed. */
export class Forge {
  readonly folder: string;
  readonly target: string;
  readonly blocks: BlockCache;
  readonly #recipes = new Map<string, Recipe>();

  private constructor(folder: string, target: string) {
    this.folder = folder;
    this.target = target;
    const cache = new Cache(cacheDir());
    this.blocks = {
      get: (key) => cache.get('blocks', key),
      put: (key, value) => cache.put('blocks', key, value),
    };
  }

  static async open(folder: string, target: string): Promise<Forge> {
    await mkdir(folder, { recursive: true });
    const forge = new Forge(folder, target);
    for (const name of ['update', 'login'] as const)
      execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', name, '-f', forge.key(name)]);
    return forge;
  }

  /** Path of a private key: `update` signs firmware, `login` opens devices. */
  key(name: 'update' | 'login'): string {
    return join(this.folder, name);
  }

  /** What a version was built from: built again, with a damage, it keeps its UUID. */
  recipeOf(version: string): Recipe {
    return this.#recipes.get(version) ?? {};
  }

  async build(version: string, recipe: Recipe = {}): Promise<Built> {
    const { app = GOOD, config = {}, damage } = recipe;
    this.#recipes.set(version, recipe);
    const line = async (name: 'update' | 'login'): Promise<string> =>
      (await readFile(`${this.key(name)}.pub`, 'utf8')).trim();
    const { path, uuid } = await buildApp(app, this.target, join(this.folder, version), {
      ...{ version, update: RULES, sshKeys: [await line('login')] },
      ...{ updateKeys: [await line('update')], signingKey: this.key('update') },
      ...config,
    });
    return { path: damage ? await this.#damaged(path, damage(this.blocks)) : path, version, uuid };
  }

  async #damaged(path: string, { payload: damagedName, of }: Damage): Promise<string> {
    await using fw = await openFirmware(path, { trust: 'self' });
    const { format: _, exampleKey: __, chunks: ___, payloads, ...about } = fw.manifest;
    const inputs: PayloadInput[] = [];
    for (const { name, slotSize, stored, variants = [] } of payloads) {
      const cuts = cutsOf(fw, name);
      // Nothing gets as far as a root whose kernel is broken: it need not be written.
      const end = name === 'root' && damagedName === 'boot' ? cuts[1] : undefined;
      const whole = {
        pieces: [(await wholePayload(fw, name)).subarray(0, end)],
        boundaries: cuts,
        storage:
          stored.encoding === 'raw'
            ? ({ encoding: 'raw' } as const)
            : ({ encoding: 'zstd', level: 3 } as const),
      };
      inputs.push({
        name,
        ...(name === damagedName ? await of(fw) : whole),
        ...(slotSize === undefined ? {} : { slotSize }),
        variants: variants.map(({ offset, a, b }) => ({
          ...{ offset, a: Buffer.from(a, 'base64'), b: Buffer.from(b, 'base64') },
        })),
      });
    }
    const out = path.replace(/\.fw$/, '-damaged.fw');
    await using file = await open(out, 'w');
    await writeFirmware(
      { ...about, payloads: inputs },
      await fileSigner(this.key('update')),
      async (bytes) => {
        await file.writeFile(bytes);
      },
    );
    return out;
  }
}
