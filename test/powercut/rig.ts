import { copyFile, mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Machine } from '../../src/host/machine.ts';
import type { DiskState } from '../../src/host/nbd/power-loss-disk.ts';
import { ServedDisk } from '../../src/host/nbd/served-disk.ts';
import type { Qmp } from '../../src/host/qemu/qmp.ts';
import { startMachine } from '../../src/host/start.ts';
import type { Board } from './board.ts';

/** What a disk begins as. */
export interface DiskImage {
  file: string;
  /** Of the disk, bytes: at least the file's. */
  size: number;
}

/** A machine as it was once: off, or in the midst of running when there is a memory. */
export interface Saved {
  image: DiskImage;
  disk: DiskState;
  /** Copy of the UEFI variables; undefined: a board's of which nothing was ever asked. */
  vars: string | undefined;
  /** File with memory and devices. */
  memory: string | undefined;
}

/** Where machines run, one at a time, and where they are saved. Rigs share what was saved, and nothing else. */
export class Rig implements AsyncDisposable {
  readonly folder: string;
  readonly board: Board;
  readonly #vars: string;
  /** Decides what a power cut does to the disk. */
  random: () => number = Math.random;
  readonly #accelerator: 'steady' | 'auto';
  readonly #say: (line: string) => void;
  readonly #disks = new Map<DiskImage, ServedDisk>();
  #machine: Machine | undefined;
  #transcripts: Machine[] = [];
  #saved = 0;

  /**
   * @param folder made; a short path, for there are sockets in it
   * @param steady whether the machines' clocks go by what they do: for a computer that has much else to do
   */
  constructor(folder: string, board: Board, steady: boolean, say: (line: string) => void) {
    this.folder = folder;
    this.board = board;
    this.#accelerator = steady ? 'steady' : 'auto';
    this.#say = say;
    this.#vars = join(folder, 'vars.fd');
  }

  /** Switches a machine on, with the UEFI variables as they are. */
  async start(served: ServedDisk, incoming = false): Promise<Machine> {
    await this.stop();
    const machine = await startMachine({
      ...{ emulator: this.board.emulator, disk: served, workDir: this.folder, varsFile: this.#vars },
      ...{ accelerator: this.#accelerator, cpus: 1, forwards: [{ host: 0, guest: 22 }], incoming },
    });
    this.#machine = machine;
    this.#transcripts.push(machine);
    void this.#listen(machine);
    return machine;
  }

  /** Saves a machine as it is right now, and ends it. */
  async save(machine: Machine, image: DiskImage): Promise<Saved> {
    const { qmp } = machine;
    await qmp.execute('stop');
    const folder = join(this.folder, `saved-${++this.#saved}`);
    await mkdir(folder, { recursive: true });
    const memory = join(folder, 'memory');
    await qmp.execute('migrate-set-parameters', { 'max-bandwidth': 2 ** 40 });
    await migrated(qmp, () => qmp.execute('migrate', { uri: `file:${memory}` }));
    const disk = (await this.disk(image)).disk.state();
    const vars = await this.saveVars(folder);
    await machine.stop();
    return { image, disk, vars, memory };
  }

  /** A machine that was switched off, as it is now. */
  async saveOff(image: DiskImage): Promise<Saved> {
    const folder = join(this.folder, `saved-${++this.#saved}`);
    await mkdir(folder, { recursive: true });
    const { disk } = await this.disk(image);
    return { image, disk: disk.state(), vars: await this.saveVars(folder), memory: undefined };
  }

  /** @returns a copy of the UEFI variables; undefined where there are none */
  async saveVars(folder: string): Promise<string | undefined> {
    if (this.board.emulator === 'raspi3b') return undefined;
    const vars = join(folder, 'vars.fd');
    await copyFile(this.#vars, vars);
    return vars;
  }

  /** A machine as it was saved: it goes on, or is switched on. */
  async resume({ image, disk, vars, memory }: Saved): Promise<Machine> {
    await this.stop();
    const served = await this.disk(image);
    served.disk.restore(disk);
    this.#transcripts = [];
    await rm(this.#vars, { force: true });
    if (vars !== undefined) await copyFile(vars, this.#vars);
    if (memory === undefined) return this.start(served);
    const machine = await this.start(served, true);
    const { qmp } = machine;
    await migrated(qmp, () => qmp.execute('migrate-incoming', { uri: `file:${memory}` }));
    await qmp.execute('cont');
    return machine;
  }

  /** This rig's disk that begins as an image. */
  async disk(image: DiskImage): Promise<ServedDisk> {
    const there = this.#disks.get(image);
    if (there) return there;
    const folder = join(this.folder, `disk-${this.#disks.size}`);
    await mkdir(folder, { recursive: true });
    const disk = await ServedDisk.open({
      image: image.file,
      size: image.size,
      folder,
      random: () => this.random(),
    });
    this.#disks.set(image, disk);
    return disk;
  }

  /** What the machines since the last `resume` printed, into a folder. */
  async saveTranscripts(folder: string): Promise<void> {
    for (const [n, { console: lines }] of this.#transcripts.entries())
      await writeFile(join(folder, `console-${n + 1}.log`), lines.transcript);
  }

  async stop(): Promise<void> {
    await this.#machine?.stop();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
    for (const disk of this.#disks.values()) await disk[Symbol.asyncDispose]();
  }

  async #listen(machine: Machine): Promise<void> {
    for await (const line of machine.console) if (line.startsWith('[')) this.#say(`  ${line}`);
  }
}

/** Memory and devices go to a file or come from it; resolves when they have. */
async function migrated(qmp: Qmp, begin: () => Promise<unknown>): Promise<void> {
  const done = Promise.withResolvers<void>();
  const stop = qmp.onEvent(({ event, data }) => {
    if (event !== 'MIGRATION' || !/^(completed|failed)$/.test(String(data.status))) return;
    if (data.status === 'completed') done.resolve();
    else done.reject(new Error('QEMU could not save or load the machine'));
  });
  await qmp.execute('migrate-set-capabilities', { capabilities: [{ capability: 'events', state: true }] });
  await begin();
  await done.promise;
  stop();
}
