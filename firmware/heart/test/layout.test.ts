import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import {
  ENV,
  HEART_STATE,
  LOAD_LIST_SIZE,
  MBR_SIGNATURE,
  MiB,
  PARTITION_NAMES,
  SECTOR,
} from '../../../src/update/layout.ts';
import { sourceDir } from '../build.ts';

/** `#define NAME VALUE` lines, as the numbers and texts that they mean. */
function defines(): Record<string, string | number> {
  const text = readFileSync(join(sourceDir, 'layout.h'), 'utf8');
  const found: Record<string, string | number> = {};
  for (const [, name, value] of text.matchAll(/^#define (\w+) (.+)$/gm)) {
    if (!name || !value) continue;
    const product = value
      .replace(/[()]/g, '')
      .split('*')
      .map((word) => found[word.trim()] ?? word.trim());
    const number = product.map((word) =>
      typeof word === 'number' ? word : Number.parseInt(word, word.startsWith('0x') ? 16 : 10),
    );
    found[name] = value.startsWith('"') ? value.slice(1, -1) : number.reduce((a, b) => a * b, 1);
  }
  return found;
}

test('layout.h repeats the numbers of src/update/layout.ts', () => {
  expect(defines()).toMatchObject({
    MIB: MiB,
    SECTOR,
    HEART_STATE_OFFSET_0: HEART_STATE.offsets[0],
    HEART_STATE_OFFSET_1: HEART_STATE.offsets[1],
    HEART_STATE_SIZE: HEART_STATE.size,
    ENV_OFFSET_0: ENV.offsets[0],
    ENV_OFFSET_1: ENV.offsets[1],
    ENV_SIZE: ENV.size,
    PARTITION_ROOT_A: PARTITION_NAMES.rootA,
    PARTITION_ROOT_B: PARTITION_NAMES.rootB,
    PARTITION_DATA: PARTITION_NAMES.data,
    MBR_SIGNATURE,
    LOAD_LIST_SIZE,
  });
});

test('heart stays small enough to be read: 2,500 lines of code in all, 300 lines a file', () => {
  let code = 0;
  for (const name of readdirSync(sourceDir)) {
    const lines = readFileSync(join(sourceDir, name), 'utf8').trimEnd().split('\n');
    expect(lines.length, name).toBeLessThanOrEqual(300);
    // Ours have comments on lines of their own, or behind code.
    let comment = false;
    for (const line of lines) {
      const begins = /^\s*\/\*/.test(line);
      if (!comment && !begins && line.trim() !== '') code++;
      comment = (comment || begins) && !line.includes('*/');
    }
  }
  expect(code).toBeLessThanOrEqual(2500);
});
