// `npm run bench [NAME…]`: what Hearth costs, measured on this machine, as a table and as JSON (bench.json, or the
// file named by HEARTH_BENCH_JSON). A benchmark, never a test: machines differ, so compare within one run.
import { writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { benchApply } from './apply.ts';
import { benchBoot } from './boot.ts';
import { benchBuild } from './build.ts';
import { benchChange } from './change.ts';
import { benchDelta } from './delta.ts';
import { benchDev } from './dev.ts';
import type { Figure } from './figure.ts';
import { benchHeart } from './heart.ts';
import { benchOtp } from './otp.ts';
import { benchOtpLogger } from './otp-logger.ts';
import { benchOtpPort } from './otp-port.ts';
import { benchRegistry } from './otp-registry.ts';
import { benchTodo } from './todo.ts';
import { benchUpload } from './upload.ts';
import { benchUploadDevice } from './upload-device.ts';

const suites: Record<string, () => Promise<Figure[]>> = {
  apply: benchApply,
  build: benchBuild,
  boot: benchBoot,
  change: benchChange,
  delta: benchDelta,
  dev: benchDev,
  heart: benchHeart,
  otp: benchOtp,
  'otp-logger': benchOtpLogger,
  'otp-port': benchOtpPort,
  'otp-registry': benchRegistry,
  todo: benchTodo,
  upload: benchUpload,
  'upload-device': benchUploadDevice,
};

const wanted = process.argv.slice(2);
const unknown = wanted.find((name) => !(name in suites));
if (unknown)
  throw new Error(`there is no benchmark '${unknown}'; there are ${Object.keys(suites).join(', ')}`);

const figures: Figure[] = [];
for (const [name, run] of Object.entries(suites)) {
  if (wanted.length === 0 || wanted.includes(name)) figures.push(...(await run()));
}
const rows = figures.map(({ name, value, unit, goal, runs }) => [
  name,
  `${Number.isInteger(value) ? value : value.toFixed(2)} ${unit}`,
  goal ?? '',
  String(runs),
]);
const table = [['figure', 'median', 'goal', 'runs'], ...rows];
const widths = [0, 1, 2, 3].map((column) => Math.max(...table.map((row) => row[column]?.length ?? 0)));
for (const row of table) console.log(row.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  '));
const file = process.env.HEARTH_BENCH_JSON ?? 'bench.json';
const machine = { cpu: cpus()[0]?.model, cores: cpus().length, node: process.version };
await writeFile(file, `${JSON.stringify({ date: new Date().toISOString(), machine, figures }, null, 2)}\n`);
console.log(`also in ${file}`);
