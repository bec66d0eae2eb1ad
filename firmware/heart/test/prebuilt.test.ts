import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { build, compilerVersion, type Hashes, machines, prebuiltDir, sourceHash } from '../build.ts';
import { run, scratch } from './programs.ts';

const hashes: Hashes = JSON.parse(readFileSync(join(prebuiltDir, 'hashes.json'), 'utf8'));
const sha256 = (file: string) => createHash('sha256').update(readFileSync(file)).digest('hex');

test('the committed binaries were built from these sources: else run scripts/build-heart and commit', () => {
  expect(hashes.sources).toBe(sourceHash());
});

describe.each([...machines])('%s', (machine) => {
  const binary = join(prebuiltDir, machine, 'heart');
  const recorded = hashes.binaries[machine];

  test('is the binary that hashes.json names', () => {
    expect({ sha256: sha256(binary), size: readFileSync(binary).length }).toMatchObject({
      sha256: recorded?.sha256,
      size: recorded?.size,
    });
  });

  test('needs nothing of the system that it runs on, and tells nothing of the one that it was built on', () => {
    const header = run('readelf', ['-hlW', binary]).stdout;
    expect(header).toMatch(
      machine === 'x86_64' ? /Machine:\s+Advanced Micro Devices X86-64/ : /Machine:\s+AArch64/,
    );
    expect(header).not.toMatch(/INTERP|DYNAMIC/);
    expect(readFileSync(binary, 'latin1')).not.toMatch(/\/home\/|firmware\/heart|\.cache/);
  });

  test.skipIf(compilerVersion(machine) !== recorded?.compiler)(
    'the recorded compiler builds the same bytes again',
    async () => {
      const again = join(scratch(), 'heart');
      await build(machine, again);
      expect(sha256(again)).toBe(recorded?.sha256);
    },
  );
});
