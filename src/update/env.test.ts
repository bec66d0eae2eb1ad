import { describe, expect, test } from 'vitest';
import { seededRandom } from '../build/test-random.ts';
import { EnvStore, flashedEnv } from './env.ts';
import { ENV, MiB } from './layout.ts';
import { Pages } from './pages.ts';
import { cuts } from './test-cuts.ts';
import { SimulatedDisk } from './test-simulated-disk.ts';

const FACTS = {
  version: '1.0.0',
  uuid: '00000000-0000-4000-8000-000000000001',
  product: 'hello',
  target: 'rpi3',
};

function flashedPages(): Pages {
  const pages = new Pages(16 * MiB);
  flashedEnv(FACTS).forEach((bytes, copy) => {
    pages.write(ENV.offsets[copy] ?? 0, bytes);
  });
  return pages;
}

describe('the environment', () => {
  test('of a flashed disk knows what was flashed', async () => {
    const { record, problem } = await EnvStore.open(new SimulatedDisk(flashedPages()));
    expect(record).toMatchObject({ active: 'a', slots: { a: { ...FACTS, validated: true }, b: undefined } });
    expect(problem).toBeUndefined();
  });

  test('is what it was or what it was to be, after a power cut at any moment of many writes (P6, P7)', async () => {
    const before = flashedPages();
    const disk = new SimulatedDisk(before.copy());
    const env = await EnvStore.open(disk);
    // Of several sectors, each of which differs.
    const floors = ['1', '2', '3', '4'].map((digit) => digit.repeat(250));
    for (const floor of floors) {
      const last = { result: 'reverted', version: floor, uuid: FACTS.uuid, reason: floor } as const;
      await env.write({ ...env.record, floor, last });
    }
    const random = seededRandom('power cuts in the environment');
    let writes = 0;
    let last = -1;
    const options = { random, keepsArmed: false, perMoment: 30, isNew: () => true };
    for (const { pages, what } of cuts(before, disk.log, options)) {
      const { record, problem } = await EnvStore.open(new SimulatedDisk(pages));
      expect(record.slots.a?.version, what).toBe('1.0.0');
      const at = record.floor === undefined ? -1 : floors.indexOf(record.floor);
      expect([last, last + 1], what).toContain(at);
      // A copy was torn: the other one counts.
      if (problem) writes++;
      if (what.endsWith('nothing of what was not flushed')) last = at;
    }
    expect(last).toBe(floors.length - 1);
    expect(writes).toBeGreaterThan(0);
  });

  test('is empty where both copies are bad, and can be written again', async () => {
    const pages = new Pages(16 * MiB);
    const env = await EnvStore.open(new SimulatedDisk(pages));
    expect(env.problem).toContain('both copies are bad');
    expect(env.record.slots).toEqual({ a: undefined, b: undefined });
    await env.write({ ...env.record, active: 'b' });
    expect((await EnvStore.open(new SimulatedDisk(pages))).record.active).toBe('b');
  });
});
