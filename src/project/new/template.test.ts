import { describe, expect, test } from 'vitest';
import { listField, projectFiles } from './template.ts';

const values = {
  name: 'sensor',
  key: 'sensor',
  hearthfw: '1.2.3',
  targets: ['x86_64'],
  updateKeys: ['ssh-ed25519 AAAA sensor'],
  sshKeys: [],
};

test('the files have their own names, and no blank is left open', () => {
  const files = projectFiles(values);
  expect([...files.keys()].sort()).toEqual([
    '.editorconfig',
    '.gitignore',
    'README.md',
    'biome.json',
    'fw.config.ts',
    'package.json',
    'src/app.ts',
    'src/server.test.ts',
    'src/server.ts',
    'tsconfig.json',
  ]);
  for (const [path, text] of files) expect(text, path).not.toMatch(/\{\{|\}\}$/m);
});

test('every dependency is pinned', () => {
  const json = JSON.parse(projectFiles(values).get('package.json') ?? '') as Record<
    'dependencies' | 'devDependencies',
    Record<string, string>
  >;
  expect(json.dependencies).toEqual({ hearthfw: '1.2.3' });
  for (const version of Object.values(json.devDependencies)) expect(version).toMatch(/^\d+\.\d+\.\d+$/);
});

describe('a list in fw.config.ts', () => {
  test('is one line of at most 100 characters, else one line for each', () => {
    expect(listField('a', [])).toBe('  a: [],');
    expect(listField('a', ['b', 'c'])).toBe("  a: ['b', 'c'],");
    expect(listField('a', ['x'.repeat(90)])).toHaveLength(100);
    expect(listField('a', ['x'.repeat(91)])).toBe(`  a: [\n    '${'x'.repeat(91)}',\n  ],`);
  });

  test.each([
    "Jane's",
    'the "big" one',
    `Jane's "big" one`,
    `Jane's and Joe's "big`,
    'back\\slash',
    '`y` $ {x}',
    '{{name}}',
  ])('says %s and nothing else', (text) => {
    const evaluate = new Function(`return ({ ${listField('a', [text])} })`) as () => { a: string[] };
    expect(evaluate()).toEqual({ a: [text] });
  });
});
