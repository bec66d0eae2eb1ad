// Reads what scripts/test wrote down and prints the line that CI looks for. Exits non-zero when anything failed.
// `node scripts/count-results.mjs RESULTS STATUS`; RESULTS has a line of JSON per check.
import { readFileSync } from 'node:fs';

const [file = '', status = '1'] = process.argv.slice(2);
const lines = readFileSync(file, 'utf8').split('\n').filter(Boolean);
let passed = 0;
let failed = 0;
for (const line of lines) {
  const result = JSON.parse(line);
  passed += result.passed;
  failed += result.failed;
}
// A run that ended badly without a failed test (set-up, a crash) is a failure all the same.
if (status !== '0' && failed === 0) failed = 1;
if (status === '0' && passed === 0) failed = 1;
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
