/** What a change of an app costs on its way to a device: real builds, and the shipped sender and engine on a real disk image. */
import { closeSync, openSync, readSync } from 'node:fs';
import { cp, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { openFirmware } from '../src/archive/open.ts';
import { buildFirmware } from '../src/build/firmware.ts';
import { writeImage } from '../src/build/image.ts';
import { loadTarget } from '../src/build/targets.ts';
import { loadProject } from '../src/project/load.ts';
import { Pages } from '../src/update/pages.ts';
import { SimulatedDisk } from '../src/update/test-simulated-disk.ts';
import { REBOOTING, receiveFrames } from '../src/update/transfer/receive.ts';
import { sendUpdate } from '../src/update/transfer/send.ts';
import { Updater } from '../src/update/updater.ts';

const APPS = join(import.meta.dirname, '..', 'firmware', 'apps');

/** One line of each example app. */
const LINES = {
  hello: { file: 'src/app.ts', from: 'There is / and /health.', to: 'Only / and /health are served here.' },
  todo: { file: 'src/app.ts', from: 'run(', to: "logger.info('the lists are on their way');\nrun(" },
} as const;

export type App = keyof typeof LINES;

/** A copy of an example app, to be built as it is and with one line of it changed, as another version. */
export class ChangingApp {
  readonly #folder: string;
  readonly #name: App;
  readonly #target: string;

  private constructor(folder: string, name: App, target: string) {
    this.#folder = folder;
    this.#name = name;
    this.#target = target;
  }

  static async copy(name: App, target: string, folder: string): Promise<ChangingApp> {
    for (const each of [name, 'example-key'])
      await cp(join(APPS, each), join(folder, each), { recursive: true });
    return new ChangingApp(folder, name, target);
  }

  /** @returns the path of the .fw */
  async build(version: string): Promise<string> {
    await this.#edit('fw.config.ts', /version: '.*'/, `version: '${version}'`);
    const out = join(this.#folder, `${this.#name}-${version}.fw`);
    await buildFirmware(await loadProject(this.folder), { target: this.#target, out });
    return out;
  }

  /** The project's folder. */
  get folder(): string {
    return join(this.#folder, this.#name);
  }

  async changeLine(): Promise<void> {
    const { file, from, to } = LINES[this.#name];
    await this.#edit(file, from, to);
  }

  /** @param fields of fw.config.ts, as source */
  async configure(fields: string): Promise<void> {
    await this.#edit('fw.config.ts', '  dev: true,', `  dev: true,\n  ${fields},`);
  }

  async #edit(file: string, from: string | RegExp, to: string): Promise<void> {
    const path = join(this.folder, file);
    const before = await readFile(path, 'utf8');
    const after = before.replace(from, to);
    if (after === before && !after.includes(to)) throw new Error(`${path} has no ${from}`);
    await writeFile(path, after);
  }
}

/** Bytes on the link, frames and all. */
export interface Travelled {
  toDevice: number;
  fromDevice: number;
  /** Of the whole file. */
  fileSize: number;
}

/**
 * Sends a firmware to a device that runs another, flashed as `fw burn` does it; on the medium the device would hold it.
 * @param known whether the sender has what runs there
 */
export async function send(path: string, running: string, folder: string, known = true): Promise<Travelled> {
  const image = join(folder, 'disk.img');
  await writeImage(running, image);
  const { size } = await stat(image);
  const file = openSync(image, 'r');
  try {
    const under = (offset: number, length: number): Uint8Array => {
      const bytes = new Uint8Array(length);
      return bytes.subarray(0, readSync(file, bytes, 0, length, offset));
    };
    await using fw = await openFirmware(path, { trust: 'self' });
    const updater = await deviceOf(fw.manifest, new SimulatedDisk(new Pages(size, under)));
    const [up, down] = [new PassThrough(), new PassThrough()];
    let fromDevice = 0;
    const answer = (bytes: Uint8Array): void => {
      fromDevice += bytes.length;
      down.write(bytes);
    };
    const receiving = receiveFrames(up, updater, 'ssh', answer).then(() => answer(REBOOTING));
    const write = async (bytes: Uint8Array): Promise<void> => {
      if (!up.write(bytes)) await new Promise<void>((resolve) => up.once('drain', resolve));
    };
    const findOld = known ? () => openFirmware(running, { trust: 'self' }) : async () => undefined;
    const [{ sent, fileSize }] = await Promise.all([
      sendUpdate(fw, { write, incoming: down }, { findOld }),
      receiving,
    ]);
    if (updater.state !== 'staged') throw new Error(`the update is ${updater.state}`);
    return { toDevice: sent, fromDevice, fileSize };
  } finally {
    closeSync(file);
  }
}

type Manifest = Awaited<ReturnType<typeof openFirmware>>['manifest'];

async function deviceOf(
  { product, target, arch, trustedKeys }: Manifest,
  disk: SimulatedDisk,
): Promise<Updater> {
  const { boot } = (await loadTarget(target)).target;
  return Updater.open({
    ...{
      disk,
      booted: 'a',
      resetCause: 'reboot: signal 15',
      again: false,
      versionFloor: undefined,
      trustedKeys,
    },
    table: boot.family === 'uefi' ? 'gpt' : 'mbr',
    oneShot: { arm: async () => {} },
    device: { product, target, arch },
    now: () => new Date(),
  });
}
