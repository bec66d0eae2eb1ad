import type { Machine } from '../../src/host/machine.ts';

/** MB. */
export interface Memory {
  rss: number;
  cgroup: number;
}

/** Looked at from the machine's own shell, again and again. */
export class MemoryOf {
  readonly #machine: Machine;
  readonly #idle: Memory;
  #over = false;

  private constructor(machine: Machine, idle: Memory) {
    this.#machine = machine;
    this.#idle = idle;
  }

  static async hearthd(machine: Machine): Promise<MemoryOf> {
    return new MemoryOf(machine, await look(machine));
  }

  async sample(): Promise<{ idle: Memory; most: Memory }> {
    let most = this.#idle;
    while (!this.#over) {
      const { rss, cgroup } = await look(this.#machine);
      most = { rss: Math.max(most.rss, rss), cgroup: Math.max(most.cgroup, cgroup) };
    }
    return { idle: this.#idle, most };
  }

  stop(): void {
    this.#over = true;
  }
}

async function look(machine: Machine): Promise<Memory> {
  const text = await machine.shell.text(
    'cat /sys/fs/cgroup/hearthd/memory.current; grep VmRSS /proc/$(head -n 1 /sys/fs/cgroup/hearthd/cgroup.procs)/status',
  );
  const [cgroup] = text.split('\n');
  return { cgroup: Number(cgroup) / 1e6, rss: (Number(/VmRSS:\s+(\d+) kB/.exec(text)?.[1]) * 1024) / 1e6 };
}
