import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { cacheDir } from '../../bin/pinned-node.js';
import { isExampleKey } from '../archive/example-key.ts';
import { parsePublicKey } from '../archive/public-key.ts';
import type { Signer } from '../archive/signer.ts';
import { type PayloadInput, type Written, writeFirmware } from '../archive/write.ts';
import { DEFAULT_DATA, type FirmwareInfo } from '../device/firmware-info.ts';
import { PATHS } from '../device/paths.ts';
import { FwError } from '../errors.ts';
import { writeSquashfs, zstdCompressor, zstdVersion } from '../formats/squashfs/index.ts';
import type { DirNode } from '../formats/tree.ts';
import type { Project } from '../project/load.ts';
import { megabytes } from '../units.ts';
import { SLOT_HEAD_AREA } from '../update/slot-head.ts';
import { type BootInput, commandLine } from './boot/cmdline.ts';
import { buildPiBoot } from './boot/pi.ts';
import { buildUki } from './boot/uefi.ts';
import { bundleApp, bundleHearthd } from './bundle/index.ts';
import { cacheLimit, tendCache } from './cache/upkeep.ts';
import { Cache } from './cache.ts';
import { addInventory, INVENTORY_FOLDERS } from './inventory/index.ts';
import type { OnProgress } from './progress.ts';
import { addFirmware, addIdentity, PLAIN_FILES } from './rootfs.ts';
import { findSigner } from './signing.ts';
import { writeMaps } from './source-maps.ts';
import { type Sources, sourcesOf } from './sources/index.ts';
import { checkElfFiles } from './system/elf-check.ts';
import { prepareSystem, type System } from './system/index.ts';
import { type LoadedTarget, loadTarget, targetNames } from './targets.ts';
import { treeHash } from './tree.ts';
import { uuidFromHash } from './uuid.ts';
import { writeWholeFile } from './whole-file.ts';

export interface BuildOptions {
  /** Default: the first of the project's targets. */
  target?: string;
  /** Path of the .fw; default NAME-VERSION-TARGET.fw in the project. */
  out?: string;
  /** Use no network: the cache, and system archives on this machine. HEARTH_OFFLINE says the same. */
  offline?: boolean;
  /** Told what is being done, for people. */
  onProgress?: OnProgress;
}

export interface BuildResult {
  path: string;
  /** Bytes. */
  size: number;
  sha256: string;
  uuid: string;
  product: string;
  version: string;
  target: string;
  dev: boolean;
  exampleKey: boolean;
  /** Seconds of each step. */
  seconds: Record<string, number>;
  /** Which parts were not made anew. */
  cached: { system: boolean; files: { hits: number; misses: number } };
}

/** zstd's level for the root: what is built once and flashed a thousand times is worth the seconds. */
const ROOT_LEVEL = 19;
const ROOT_BLOCK = 1024 * 1024;
const BOOT_LEVEL = 19;

/** The whole pipeline: system, bundles, root, boot payload, signed .fw. Same inputs, same bytes. */
export async function buildFirmware(project: Project, options: BuildOptions = {}): Promise<BuildResult> {
  const { offline = false } = options;
  const sources = sourcesOf(process.env, { offline, projectDir: project.dir });
  try {
    return await buildOnce(project, options, sources);
  } catch (error) {
    // The damaged file is gone from the cache now: what lacks it is made anew. A disk that damages files as they
    // are written would do so for ever, hence once.
    if (!(error instanceof FwError) || error.code !== 'cache-damaged') throw error;
    return buildOnce(project, options, sources);
  }
}

async function buildOnce(project: Project, options: BuildOptions, sources: Sources): Promise<BuildResult> {
  const loaded = await loadTarget(chooseTarget(project, options.target));
  const { target } = loaded;
  const signer = await findSigner(project);
  const cache = new Cache(cacheDir());
  const limit = cacheLimit();
  const tell = options.onProgress ?? (() => {});
  const clock = new StepClock();

  const system = await clock.run('system', () => prepareSystem(loaded, cache, tell, sources));
  tell({ step: 'bundling the app' });
  const [hearthd, app] = await clock.run('bundle', () =>
    Promise.all([bundleHearthd(), bundleApp(project, target.arch, { first: PATHS.gate })]),
  );
  const info = describe(project, loaded, signer);
  const root = addFirmware(system.root, { hearthd, app, project, info });
  await addInventory(root, { loaded, project: project.dir, app, hearthd });
  const cmdline = commandLine({ target, config: project.config, uuid: '' });
  const uuid = firmwareUuid(root, system, info, cmdline);
  addIdentity(root, { ...info, uuid });
  if (app.addons.size > 0) await checkElfFiles(root, target.arch);

  const compressing = 'compressing the root file system';
  tell({ step: compressing });
  const squashfs = await clock.run('root', () =>
    writeSquashfs(root, {
      blockSize: ROOT_BLOCK,
      mtime: seconds(loaded.lock.date),
      compress: zstdCompressor(ROOT_LEVEL),
      compressorLevel: ROOT_LEVEL,
      compressorVersion: zstdVersion,
      cache: { get: (key) => cache.get('blocks', key), put: (key, value) => cache.put('blocks', key, value) },
      last: ['/srv/app', '/usr/lib/hearth', ...INVENTORY_FOLDERS],
      plain: PLAIN_FILES,
      onProgress: (done, total) => tell({ step: compressing, bytes: { done, total } }),
    }),
  );
  const rootLimit = target.rootSlotSize - SLOT_HEAD_AREA;
  if (squashfs.size > rootLimit) throw rootTooLarge(squashfs, rootLimit);
  tell({ step: 'making the boot files' });
  const boot = await clock.run('boot', () => bootPayloads(loaded, project, system, uuid));

  const path = options.out ?? join(project.dir, `${info.product}-${info.version}-${target.name}.fw`);
  tell({ step: 'writing the firmware' });
  const written = await clock.run('firmware', () =>
    writeToFile(
      path,
      {
        product: info.product,
        version: info.version,
        target: target.name,
        arch: target.arch,
        uuid,
        created: loaded.lock.date.replace(/\.\d+Z$/, 'Z'),
        trustedKeys: project.config.updateKeys,
        ...(project.config.versionFloor === undefined ? {} : { versionFloor: project.config.versionFloor }),
        dataSize: project.config.dataSize,
        payloads: [
          ...boot,
          {
            name: 'root',
            pieces: squashfs.image,
            boundaries: squashfs.boundaries,
            storage: { encoding: 'raw' },
            slotSize: target.rootSlotSize,
          },
        ],
      },
      signer,
      cache,
    ),
  );
  await writeMaps(`${path}.map`, { app, hearthd });
  await tendCache(cache, limit);
  return {
    path,
    size: written.size,
    sha256: written.sha256,
    uuid,
    product: info.product,
    version: info.version,
    target: target.name,
    dev: info.dev,
    exampleKey: info.exampleKey,
    seconds: clock.seconds,
    cached: { system: system.cached, files: cache.counts },
  };
}

function chooseTarget(project: Project, wanted: string | undefined): string {
  const { targets } = project.config;
  const name = wanted ?? targets[0] ?? '';
  // A target that does not exist is for loadTarget to tell, with the one that was meant.
  if (wanted === undefined || targets.includes(wanted) || !targetNames().includes(wanted)) return name;
  throw new FwError('target-not-listed', `the project is not built for the target '${wanted}'`, {
    where: `${project.configFile}: targets`,
    expected: `one of ${targets.join(', ')}`,
    remedy: `Add '${wanted}' to the project's targets, if its hardware is meant.`,
  });
}

/** What the device will know of itself, but for the UUID, which is a hash of this too. */
function describe(
  project: Project,
  { target, lock }: LoadedTarget,
  signer: Signer,
): Omit<FirmwareInfo, 'uuid'> {
  const { config } = project;
  const { entry: _, ...app } = config.app;
  return {
    product: config.name,
    version: config.version,
    target: target.name,
    console: config.console,
    dev: config.dev,
    exampleKey: isExampleKey(parsePublicKey(signer.publicKey)),
    app,
    network: { hostname: config.network.hostname ?? config.name, dhcp: config.network.dhcp },
    sshKeys: config.sshKeys,
    updateKeys: config.updateKeys,
    ...(config.versionFloor === undefined ? {} : { versionFloor: config.versionFloor }),
    update: config.update,
    data: DEFAULT_DATA,
    kernelVersion: lock.kernel,
  };
}

/** A hash of all that makes the firmware what it is: equal inputs have the same UUID. */
function firmwareUuid(
  root: DirNode,
  system: System,
  info: Omit<FirmwareInfo, 'uuid'>,
  cmdline: string,
): string {
  const hash = createHash('sha256').update(treeHash(root)).update(system.partsHash);
  return uuidFromHash(hash.update(JSON.stringify(info)).update(cmdline).digest());
}

async function bootPayloads(
  { target, lock }: LoadedTarget,
  project: Project,
  system: System,
  uuid: string,
): Promise<PayloadInput[]> {
  const storage = { encoding: 'zstd', level: BOOT_LEVEL } as const;
  const input: BootInput = {
    target,
    config: project.config,
    uuid,
    version: project.config.version,
    part: (name) => system.part(name),
    time: new Date(lock.date),
  };
  const loader: PayloadInput = {
    name: 'loader',
    pieces: [await system.part('loader')],
    storage: { encoding: 'raw' },
  };
  if (target.boot.family === 'uefi') {
    const uki = await buildUki(input, target.boot);
    return [loader, { name: 'boot', pieces: [uki], storage, slotSize: target.boot.slotSize }];
  }
  const { payload, variant } = await buildPiBoot(input, target.boot);
  return [
    loader,
    { name: 'boot', pieces: [payload], storage, slotSize: target.boot.slotSize, variants: [variant] },
  ];
}

function writeToFile(
  path: string,
  input: Parameters<typeof writeFirmware>[0],
  signer: Signer,
  cache: Cache,
): Promise<Written> {
  return writeWholeFile(path, (file) =>
    writeFirmware(input, signer, (bytes) => file.writeFile(bytes), {
      cache: {
        get: (key) => cache.get('chunks', key),
        put: (key, value) => cache.put('chunks', key, value),
      },
    }),
  );
}

function rootTooLarge(
  squashfs: { size: number; largest: { path: string; stored: number }[] },
  limit: number,
): FwError {
  const largest = squashfs.largest.slice(0, 5).map(({ path, stored }) => `${path} (${megabytes(stored)})`);
  return new FwError('root-too-large', `the root file system is ${squashfs.size - limit} bytes too large`, {
    where: 'the root payload',
    expected: `at most ${limit} bytes, the size of a root slot without the last MiB, which says what the slot holds`,
    remedy: `Make the app smaller. The largest files: ${largest.join(', ')}.`,
  });
}

function seconds(iso: string): number {
  return Math.floor(Date.parse(iso) / 1000);
}

/** Times each step of the pipeline. */
class StepClock {
  readonly seconds: Record<string, number> = {};

  async run<T>(name: string, work: () => Promise<T>): Promise<T> {
    const start = performance.now();
    try {
      return await work();
    } finally {
      this.seconds[name] = Math.round(performance.now() - start) / 1000;
    }
  }
}
