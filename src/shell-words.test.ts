import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { quoted, shellWord, splitWords } from './shell-words.ts';

test.each([
  'a b',
  "Jane's",
  '$HOME',
  '`id`',
  '$(id)',
  'a;b',
  '*',
  '~',
  '~root',
  '-n',
  'é',
  '',
  'a\nb',
  '#a',
  'a"b\\',
])('a shell reads %j as it is', (text) => {
  for (const word of [quoted(text), shellWord(text)])
    expect(execFileSync('sh', ['-c', `printf %s/ ${word}`], { encoding: 'utf8' })).toBe(`${text}/`);
});

test('what needs no quotes has none', () => {
  for (const text of ['/home/me/.config/hearth/keys/sensor-2', '../sensor', 'a.b_c+d@e:1,2=3%'])
    expect(shellWord(text)).toBe(text);
});

test.each([
  ['', []],
  ['  status   --json ', ['status', '--json']],
  [`a 'b c' "d e"f`, ['a', 'b c', 'd ef']],
  [`'' ""`, ['', '']],
  [String.raw`a\ b \'c "d\"e" "f\g" 'h\i'`, ['a b', "'c", 'd"e', 'f\\g', 'h\\i']],
  ['$HOME `id` *', ['$HOME', '`id`', '*']],
])('the words of %j', (line, words) => {
  expect(splitWords(line)).toEqual(words);
});

test.each(['a b', "Jane's", '$HOME', '', 'a"b\\', 'a\nb', 'é'])('%j comes back from its quotes', (text) => {
  expect(splitWords(`${quoted(text)} ${shellWord(text)}`)).toEqual([text, text]);
});

test.each(["it's", 'say "no'])('a quote that is not closed is refused: %s', (line) => {
  expect(() => splitWords(line)).toThrow(expect.objectContaining({ code: 'bad-command-line', where: line }));
});
