import { afterAll, beforeAll, expect, test } from 'vitest';
import { seededRandom } from '../../src/build/test-random.ts';
import { temporaryFolder } from '../firmware.ts';
import { Campaign, SCENES } from '../powercut/campaign.ts';
import { describeCut } from '../powercut/report.ts';

/** What CI has the time for: most of a cut is a boot and a whole update. `scripts/powercut N` makes campaigns of them. */
const CUTS = Number(process.env.HEARTH_POWERCUTS ?? 2);
/** Three boots on a loaded computer. */
const PREPARATION_MS = 900_000;
const CUT_MS = 600_000;

const random = seededRandom('power cuts');
// Each run takes others.
const first = Math.floor(random() * SCENES.length);
const scenes = Array.from({ length: CUTS }, (_, n) => SCENES[(first + n) % SCENES.length] ?? 'upload');

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let campaign: Campaign;
beforeAll(async () => {
  folder = await temporaryFolder();
  campaign = await Campaign.prepare(folder.path, random, scenes);
}, PREPARATION_MS);
afterAll(async () => {
  await campaign?.[Symbol.asyncDispose]();
  await folder?.[Symbol.asyncDispose]();
});

test.for(scenes)(
  'a device whose power is cut (%s) comes up old or new, and takes a further update (P1-P5, P9, P11, P12)',
  { timeout: CUT_MS },
  async (scene) => {
    const report = await campaign.cut(scene);
    console.log(describeCut(report));
    expect(report).toMatchObject({ ok: true });
  },
);
