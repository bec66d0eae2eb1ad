// scripts/trials [CASE…] [--target NAME]: faults, given to an emulated device and really booted until they are gone.
import { parseArgs } from 'node:util';
import { temporaryFolder } from '../firmware.ts';
import { Campaign } from './campaign.ts';
import { CASES } from './cases.ts';
import { isTarget, TARGETS } from './device.ts';
import { HEADER, rowOf } from './report.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { target: { type: 'string', default: 'x86_64' }, verbose: { type: 'boolean', default: false } },
});
const { target, verbose } = values;
const here = CASES.filter(
  ({ targets }) => (targets as readonly string[] | undefined)?.includes(target) !== false,
);
const chosen =
  positionals.length === 0
    ? here
    : positionals.flatMap((each) => here.filter(({ name }) => name.startsWith(each)));
if (!isTarget(target) || chosen.length === 0) {
  console.error(
    `usage: scripts/trials [CASE…] [--target ${TARGETS.join('|')}] [--verbose]\ncases: ${CASES.map(({ name }) => name).join(' ')}`,
  );
  process.exit(2);
}
const began = performance.now();
const say = (line: string): void => {
  if (verbose) console.error(`${Math.round((performance.now() - began) / 1000)} s: ${line}`);
};
await using folder = await temporaryFolder();
await using campaign = await Campaign.prepare(folder.path, target, say);
console.log(HEADER);
let bad = 0;
for (const each of chosen) {
  const report = await campaign.play(each);
  if (!report.ok) bad++;
  console.log(rowOf(report));
}
process.exitCode = bad === 0 ? 0 : 1;
