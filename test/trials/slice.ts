import { afterAll, beforeAll, expect, test } from 'vitest';
import { seededRandom } from '../../src/build/test-random.ts';
import { temporaryFolder } from '../firmware.ts';
import { Campaign } from './campaign.ts';
import { CASES } from './cases.ts';
import type { Target } from './device.ts';
import { rowOf } from './report.ts';

/** From building to the verdict on a loaded computer: three boots, and an update between them. */
const CASE_MS = 900_000;

/** What CI has the time for: these cases, and so many of the other quick ones, others in each run. `scripts/trials` plays all. */
export function testSlice(target: Target, always: readonly string[], count: number): void {
  const here = CASES.filter(({ targets }) => targets?.includes(target) !== false);
  const quick = here.filter(({ name, slow }) => slow !== true && slow !== target && !always.includes(name));
  const random = seededRandom('trials');
  const first = Math.floor(random() * quick.length);
  // Not neighbours, which are much alike.
  const chosen = Array.from(
    { length: count },
    (_, n) => (first + Math.floor((n * quick.length) / count)) % quick.length,
  );
  const cases = [
    ...here.filter(({ name }) => always.includes(name)),
    ...quick.filter((_, at) => chosen.includes(at)),
  ];

  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let campaign: Campaign;
  beforeAll(async () => {
    folder = await temporaryFolder();
    campaign = await Campaign.prepare(folder.path, target);
  });
  afterAll(async () => {
    await campaign?.[Symbol.asyncDispose]();
    await folder?.[Symbol.asyncDispose]();
  });

  test.for(cases)(`${target}: $name, $title`, { timeout: CASE_MS }, async (each) => {
    const report = await campaign.play(each);
    console.log(rowOf(report));
    if (!report.ok) console.error(campaign.tail);
    expect(report).toMatchObject({ ok: true });
  });
}
