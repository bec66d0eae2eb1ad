import { afterAll, beforeAll, expect, test } from 'vitest';
import { temporaryFolder } from '../firmware.ts';
import { Campaign, type CutReport } from '../powercut/campaign.ts';
import { SCENES } from '../powercut/life.ts';
import { describeCampaign, describeCut } from '../powercut/report.ts';

/** What CI has the time for; `scripts/powercut N` makes campaigns of them. */
const CUTS = Number(process.env.HEARTH_POWERCUTS ?? 20);
/** As many machines as CI has processors. */
const JOBS = 2;
/** The life without a cut, and all cuts, on a loaded computer: each test waits for those before it. */
const TIMEOUT_MS = 1_800_000;

const seed = Number(process.env.HEARTH_TEST_SEED ?? Math.floor(Math.random() * 2 ** 31));
/** In the order of a life: the first can be cut while the rest is still played. */
const scenes = Array.from(
  { length: CUTS },
  (_, n) => SCENES[Math.floor((n * SCENES.length) / CUTS)] ?? 'upload',
);

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let campaign: Campaign | undefined;
let reports: Promise<CutReport>[];
beforeAll(async () => {
  console.log(`power cuts: HEARTH_TEST_SEED=${seed}`);
  folder = await temporaryFolder();
  campaign = new Campaign({ folder: folder.path, seed, jobs: JOBS });
  reports = campaign.start(scenes);
});
afterAll(async () => {
  await campaign?.[Symbol.asyncDispose]();
  await folder?.[Symbol.asyncDispose]();
});

test.for(scenes.map((scene, n) => [n + 1, scene] as const))(
  'a device whose power is cut (%i, %s) comes up old or new, and takes a further update (P1-P5, P9, P11, P12)',
  { timeout: TIMEOUT_MS },
  async ([number]) => {
    const report = await reports[number - 1];
    if (report) console.log(`${number}: ${describeCut(report)}`);
    expect(report).toMatchObject({ ok: true });
  },
);

test('a summary of it', async () => {
  console.log(describeCampaign(await Promise.all(reports)));
});
