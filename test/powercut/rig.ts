import { copyFile, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Machine } from '../../src/host/machine.ts';
import type { DiskState } from '../../src/host/nbd/power-loss-disk.ts';
import type { ServedDisk } from '../../src/host/nbd/served-disk.ts';
import { startMachine } from '../../src/host/start.ts';

/** A machine as it was once: off, or in the midst of running when there is a memory. */
export interface Saved {
  served: ServedDisk;
  disk: DiskState;
  /** Copy of the UEFI variables; undefined: a board's of which nothing was ever asked. */
  vars: string | undefined;
  /** File with memory and devices. */
  memory: string | undefined;
}

/** Where machines run, one at a time, and where they are saved. */
export class Rig {
  readonly folder: string;
  readonly vars: string;
  readonly #say: (line: string) => void;
  #machine: Machine | undefined;
  #saved = 0;

  constructor(folder: string, say: (line: string) => void) {
    this.folder = folder;
    this.#say = say;
    this.vars = join(folder, 'vars.fd');
  }

  /** Switches a machine on, with the UEFI variables as they are. */
  async start(served: ServedDisk, extra: readonly string[] = []): Promise<Machine> {
    await this.stop();
    this.#machine = await startMachine({
      emulator: 'q35',
      disk: served,
      workDir: this.folder,
      varsFile: this.vars,
      forwards: [{ host: 0, guest: 22 }],
      extra,
    });
    void this.#listen(this.#machine);
    return this.#machine;
  }

  /** Saves a machine that runs, and ends it. It must run: one that was stopped would be stopped when it is resumed. */
  async save(machine: Machine, served: ServedDisk): Promise<Saved> {
    const folder = join(this.folder, `saved-${++this.#saved}`);
    await mkdir(folder);
    const saved = { vars: join(folder, 'vars.fd'), memory: join(folder, 'memory') };
    const { qmp } = machine;
    const done = Promise.withResolvers<void>();
    const stop = qmp.onEvent(({ event, data }) => {
      if (event !== 'MIGRATION' || !/^(completed|failed)$/.test(String(data.status))) return;
      if (data.status === 'completed') done.resolve();
      else done.reject(new Error('QEMU could not save the machine'));
    });
    await qmp.execute('migrate-set-capabilities', { capabilities: [{ capability: 'events', state: true }] });
    await qmp.execute('migrate-set-parameters', { 'max-bandwidth': 2 ** 40 });
    await qmp.execute('migrate', { uri: `file:${saved.memory}` });
    await done.promise;
    stop();
    const disk = served.disk.state();
    await copyFile(this.vars, saved.vars);
    await machine.stop();
    return { served, disk, ...saved };
  }

  /** A machine that was switched off, as it is now. */
  async saveOff(served: ServedDisk): Promise<Saved> {
    const vars = join(this.folder, `vars-${++this.#saved}.fd`);
    await copyFile(this.vars, vars);
    return { served, disk: served.disk.state(), vars, memory: undefined };
  }

  /** A machine as it was saved: it goes on, or is switched on. */
  async resume({ served, disk, vars, memory }: Saved): Promise<Machine> {
    await this.stop();
    served.disk.restore(disk);
    await rm(this.vars, { force: true });
    if (vars !== undefined) await copyFile(vars, this.vars);
    return this.start(served, memory === undefined ? [] : ['-incoming', `file:${memory}`]);
  }

  async #listen(machine: Machine): Promise<void> {
    for await (const line of machine.console) if (line.startsWith('[')) this.#say(`  ${line}`);
  }

  async stop(): Promise<void> {
    await this.#machine?.stop();
  }
}
