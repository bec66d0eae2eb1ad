import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished } from 'vitest';
import type { Machine } from '../../src/host/machine.ts';
import { copySparse } from '../../src/host/sparse.ts';
import { type MachineOptions, startMachine } from '../../src/host/start.ts';

export interface BenchOptions extends Omit<MachineOptions, 'disk' | 'workDir'> {
  /** Raw disk image; the machine gets a copy of its own. */
  image: string;
  /** TCP ports of the guest; any free ports of this machine lead to them, and `machine.portOf` tells which. */
  ports?: readonly number[];
}

/** A disk and the machines that run from it, one after the other, in a folder of their own. */
export class Bench implements AsyncDisposable {
  readonly folder: string;
  readonly disk: string;
  readonly #options: BenchOptions;
  readonly #machines: Machine[] = [];
  #closed = false;

  private constructor(folder: string, options: BenchOptions) {
    this.folder = folder;
    this.disk = join(folder, 'disk.img');
    this.#options = options;
  }

  static async open(options: BenchOptions): Promise<Bench> {
    const bench = new Bench(await mkdtemp(join(tmpdir(), 'hearth-bench-')), options);
    try {
      await copySparse(options.image, bench.disk);
    } catch (error) {
      await bench.close();
      throw error;
    }
    return bench;
  }

  /** Switches a machine on; the one before must be off. The UEFI variables are those of the one before. */
  async start(overrides: Partial<MachineOptions> = {}): Promise<Machine> {
    const { image: _, ports = [], ...options } = this.#options;
    const forwards = [...(options.forwards ?? []), ...ports.map((guest) => ({ host: 0, guest }))];
    const own = { disk: this.disk, workDir: this.folder, forwards };
    const machine = await startMachine({ ...options, ...own, ...overrides });
    this.#machines.push(machine);
    // The test may have timed out in the meantime.
    if (this.#closed) await machine.cutPower();
    return machine;
  }

  /** Writes what all machines printed into a folder that stays, and gives its path. */
  async saveTranscripts(name: string): Promise<string> {
    const folder = join(tmpdir(), 'hearth-failed', name.replace(/[^A-Za-z0-9]+/g, '-').slice(0, 100));
    await mkdir(folder, { recursive: true });
    for (const [index, { console: lines, shellPort }] of this.#machines.entries()) {
      await writeFile(join(folder, `console-${index + 1}.log`), lines.transcript);
      await writeFile(join(folder, `shell-${index + 1}.log`), shellPort.transcript);
    }
    return folder;
  }

  /** The last lines of the last machine's console. */
  tail(count: number): string {
    return this.#machines.at(-1)?.console.tail(count) ?? '';
  }

  /** Ends whatever runs and removes the folder. */
  async close(): Promise<void> {
    this.#closed = true;
    for (const machine of this.#machines) await machine.cutPower();
    await rm(this.folder, { recursive: true, force: true });
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

const SHOWN_LINES = 60;

/**
 * Runs a test on a machine that has just been switched on. When the test fails, the transcripts are kept and the end
 * of the console is shown; when it times out, the machine is ended, which ends what the test waits for.
 */
export async function withMachine<T>(
  options: BenchOptions,
  use: (machine: Machine, bench: Bench) => Promise<T>,
): Promise<T> {
  await using bench = await Bench.open(options);
  // A test that timed out is not told so: without this its machine would run on beside the next test's.
  onTestFinished(() => bench.close());
  try {
    return await use(await bench.start(), bench);
  } catch (error) {
    const folder = await bench.saveTranscripts(expect.getState().currentTestName ?? 'unnamed');
    console.error(`${bench.tail(SHOWN_LINES)}\nThe whole transcripts are in ${folder}`);
    throw error;
  }
}
