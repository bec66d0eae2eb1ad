import { execFileSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { quoted, shellWord } from './shell-words.ts';

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
