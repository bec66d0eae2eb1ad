import { expect, test } from 'vitest';
import { ProgramLog } from './program-log.ts';

function logged(now = () => 0) {
  const said: string[] = [];
  return { said, log: new ProgramLog((line) => said.push(line), now) };
}

test('lines of one stream stay apart from those of another, and characters whole', () => {
  const { said, log } = logged();
  const [one, two] = [log.lines(), log.lines()];
  const bytes = Buffer.from('grüezi\n\nend');
  one.push(bytes.subarray(0, 3));
  two.push(Buffer.from('other\n'));
  one.push(bytes.subarray(3));
  one.end();
  expect(said).toEqual(['other', 'grüezi', 'end']);
  expect(log.last).toEqual(['other', 'grüezi', 'end']);
});

test('a line without an end is cut, and costs no more memory than that', () => {
  const { said, log } = logged();
  const lines = log.lines();
  for (let i = 0; i < 1_000; i++) lines.push(Buffer.alloc(1_000, 'x'));
  lines.end();
  expect(said).toEqual(['x'.repeat(1_000)]);
});

test('a flood is cut to a rate, counted, and the last lines are kept', () => {
  let now = 0;
  const { said, log } = logged(() => now);
  const lines = log.lines();
  const flood = Array.from({ length: 10_000 }, (_, i) => `line ${i}\n`).join('');
  lines.push(Buffer.from(flood));
  expect(said).toHaveLength(200);
  expect(log.last.at(-1)).toBe('line 9999');
  expect(log.last).toHaveLength(20);
  now = 1_000;
  lines.push(Buffer.from('after\n'));
  expect(said.slice(200)).toEqual(['(9800 lines were dropped: it says too much)', 'after']);
  lines.push(Buffer.from(flood));
  log.end();
  expect(said.at(-1)).toBe('(9951 lines were dropped: it says too much)');
});
