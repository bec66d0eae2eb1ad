// The campaign: scripts/powercut N [SEED] [--target rpi3] [--from CUT].
import { parseArgs } from 'node:util';
import { temporaryFolder } from '../firmware.ts';
import { Campaign, type CutReport } from './campaign.ts';
import { SCENES } from './life.ts';
import { describeCampaign, describeCut } from './report.ts';

const { positionals, values } = parseArgs({
  allowPositionals: true,
  options: { target: { type: 'string', default: 'x86_64' }, from: { type: 'string', default: '1' } },
});
const count = Number(positionals[0]);
/** The first cut to be made of them; 1 and on. */
const from = Number(values.from);
const seed = Number(positionals[1] ?? Math.floor(Math.random() * 2 ** 31));
const jobs = Number(process.env.HEARTH_POWERCUT_JOBS ?? 1);
const steady = process.env.HEARTH_POWERCUT_STEADY !== undefined;
/** What the machines print, as well. */
const verbose = process.env.HEARTH_POWERCUT_VERBOSE !== undefined;
const only = process.env.HEARTH_POWERCUT_SCENES?.split(',');
const scenes = SCENES.filter((name) => only === undefined || only.includes(name));
if (!(from >= 1 && count >= from) || !Number.isSafeInteger(seed) || !(jobs >= 1) || scenes.length === 0) {
  console.error('usage: scripts/powercut N [SEED] [--target x86_64|rpi3] [--from CUT]');
  process.exit(2);
}
const began = performance.now();
const say = (line: string): void => {
  if (verbose || !line.startsWith(' '))
    console.log(`${Math.round((performance.now() - began) / 1000)} s: ${line}`);
};
console.log(`cuts ${from} to ${count} on ${values.target}, seed ${seed}, ${jobs} at a time`);
await using folder = await temporaryFolder();
await using campaign = new Campaign({ folder: folder.path, target: values.target, seed, jobs, steady, say });
const list = Array.from({ length: count }, (_, n) => scenes[n % scenes.length] ?? 'upload').slice(from - 1);
const done: CutReport[] = [];
const reports = campaign.start(list, from - 1).map(async (each, n) => {
  const report = await each;
  done.push(report);
  const bad = done.filter(({ ok }) => !ok).length;
  say(`${from + n}: ${describeCut(report)} [${done.length} of ${list.length}, ${bad} bad]`);
});
await Promise.all(reports);
const bad = done.filter(({ ok }) => !ok).length;
console.log(describeCampaign(done));
console.log(
  `${list.length} cuts, ${bad} bad, seed ${seed}, ${Math.round((performance.now() - began) / 1000)} s`,
);
process.exitCode = bad === 0 ? 0 : 1;
