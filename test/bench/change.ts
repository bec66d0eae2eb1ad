import { openFirmware } from '../../src/archive/open.ts';
import { statusOf } from '../../src/links/device.ts';
import { upload } from '../../src/links/upload.ts';
import { benchDevice } from './device.ts';
import type { Figure } from './figure.ts';
import { MemoryOf } from './memory.ts';

/** From one changed line to *validated*, by the way of `fw upload`, on an emulated PC, by step; and what hearthd needs for it. */
export async function benchChange(): Promise<Figure[]> {
  await using device = await benchDevice('hello');
  const { app, link, machine } = device;
  const memory = await MemoryOf.hearthd(machine);
  await app.changeLine();
  const steps = new Steps();
  const path = await app.build('1.0.1');
  steps.ended('built');
  const before = await statusOf(link);
  await using fw = await openFirmware(path, { trust: 'self' });
  steps.ended('asked for its status');
  const sampled = memory.sample();
  const result = await upload(fw, link, before, {
    ...{ signal: new AbortController().signal, wait: true },
    findOld: () => openFirmware(device.firmware, { trust: 'self' }),
    onWanted: () => steps.ended('what stays is copied'),
    onSent: (done, total) => done === total && steps.ended('what has changed is sent'),
    async onRebooting() {
      steps.ended('read back');
      memory.stop();
    },
    onStanding: (standing) =>
      'result' in standing && standing.result === 'trial' && steps.once('booted, and reached'),
  });
  steps.ended('healthy for long enough');
  if (result.verdict?.result !== 'validated') throw new Error(`it is ${JSON.stringify(result.verdict)}`);
  const { idle, most } = await sampled;
  return [
    { name: 'change: one line to validated', value: steps.total, unit: 'ms', runs: 1 },
    ...steps.all.map(([name, ms]) => ({ name: `change: of it, ${name}`, value: ms, unit: 'ms', runs: 1 })),
    { name: 'change: sent', value: result.sent / 1000, unit: 'kB', runs: 1, goal: '≤ 64, aim 20' },
    {
      ...{ name: 'update: memory of hearthd (RSS) over idle', unit: 'MB', runs: 1, goal: '≤ 60' },
      value: most.rss - idle.rss,
    },
    {
      ...{ name: 'update: memory of its cgroup over idle', unit: 'MB', runs: 1, goal: '≤ 60' },
      value: most.cgroup - idle.cgroup,
    },
  ];
}

class Steps {
  readonly #begun = performance.now();
  readonly all: [name: string, ms: number][] = [];
  #last = this.#begun;

  ended(name: string): void {
    const now = performance.now();
    this.all.push([name, now - this.#last]);
    this.#last = now;
  }

  once(name: string): void {
    if (!this.all.some(([each]) => each === name)) this.ended(name);
  }

  get total(): number {
    return this.#last - this.#begun;
  }
}
