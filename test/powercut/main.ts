// The campaign: scripts/powercut N [SEED].
import { seededRandom } from '../../src/build/test-random.ts';
import { temporaryFolder } from '../firmware.ts';
import { Campaign, SCENES } from './campaign.ts';
import { describeCut } from './report.ts';

const count = Number(process.argv[2]);
const seed = Number(process.argv[3] ?? Math.floor(Math.random() * 2 ** 31));
process.env.HEARTH_TEST_SEED = String(seed);
/** What the machines print, as well. */
const verbose = process.env.HEARTH_POWERCUT_VERBOSE !== undefined;
const only = process.env.HEARTH_POWERCUT_SCENES?.split(',');
const scenes = SCENES.filter((name) => only === undefined || only.includes(name));
if (!(count > 0) || !Number.isSafeInteger(seed) || scenes.length === 0) {
  console.error('usage: scripts/powercut N [SEED]');
  process.exit(2);
}
const began = performance.now();
const say = (line: string): void => {
  if (verbose || !line.startsWith(' '))
    console.log(`${Math.round((performance.now() - began) / 1000)} s: ${line}`);
};
await using folder = await temporaryFolder();
await using campaign = await Campaign.prepare(folder.path, seededRandom('power cuts'), scenes, say);
const took = Math.round((performance.now() - began) / 1000);
console.log(
  `prepared in ${took} s; ${campaign.changes.map(([name, n]) => `${name}: ${n} changes`).join(', ')}`,
);
let bad = 0;
for (let n = 0; n < count; n++) {
  const report = await campaign.cut(scenes[n % scenes.length] ?? 'upload');
  if (!report.ok) bad++;
  console.log(`${n + 1}: ${describeCut(report)}`);
}
console.log(`${count} cuts, ${bad} bad, seed ${seed}`);
process.exitCode = bad === 0 ? 0 : 1;
