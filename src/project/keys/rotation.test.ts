import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { EXAMPLE_PUBLIC_KEY } from '../../archive/example-key.ts';
import { fingerprint, generateKey, parsePublicKey } from '../../archive/index.ts';
import { loadProject } from '../load.ts';
import { writtenKeys } from './config-keys.ts';
import { dropKey, signWith, trustKey } from './rotation.ts';

const [A, B, C] = ['a', 'b', "c's"].map((comment) => generateKey(comment).publicKey.trim()) as [
  string,
  string,
  string,
];

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'hearth-rotation-'));
  mkdirSync(join(dir, 'src'));
  writeFileSync(join(dir, 'src/app.ts'), '');
});
afterEach(() => rmSync(dir, { recursive: true }));

const file = (): string => join(dir, 'fw.config.ts');
function config(updateKeys: string, before = ''): string {
  const text = `${before}export default {
  name: 'sensor', version: '1.0.0', app: 'src/app.ts', targets: ['rpi3'],
  ${updateKeys}
  // updateKeys: ['not this one'],
  config: { text: "updateKeys: ['nor this']" },
};
`;
  writeFileSync(file(), text);
  return text;
}
const keys = async (): Promise<string[]> => (await loadProject(dir)).config.updateKeys;
const fine = async (): Promise<void> => {};

test('a key is added behind the others, made the first, and dropped; nothing else of the file changes', async () => {
  const before = config(`updateKeys: ['${A}'],`);
  expect(await trustKey(await loadProject(dir), parsePublicKey(B))).toBe(true);
  expect(await trustKey(await loadProject(dir), parsePublicKey(B))).toBe(false);
  expect(await keys()).toEqual([A, B]);
  await signWith(await loadProject(dir), 'b', fine);
  expect(await keys()).toEqual([B, A]);
  await dropKey(await loadProject(dir), fingerprint(parsePublicKey(A)));
  expect(await keys()).toEqual([B]);
  expect(readFileSync(file(), 'utf8').replace(`[\n    '${B}',\n  ]`, `['${A}']`)).toBe(before);
});

test.each([
  ['"double" quotes and a comment', `updateKeys: [ /* old */ "${A}", // it\n  \`${B}\` ],`],
  ['no comma at the end', `updateKeys: ['${A}','${B}']\n  ,`],
])('%s are read as they are', async (_, field) => {
  config(field);
  await trustKey(await loadProject(dir), { ...parsePublicKey(C) });
  expect(await keys()).toEqual([A, B, C.replace("'", '')]);
});

test.each([
  ['a variable', 'updateKeys: keys,', `const keys = ['${A}'];\n`],
  ['a spread', 'updateKeys: [...keys],', `const keys = ['${A}'];\n`],
  [
    'another list of that name',
    'updateKeys: two.updateKeys,',
    `const two = { updateKeys: ['${A}', '${B}'] };\nconst one = { updateKeys: ['${A}'] };\nvoid one;\n`,
  ],
  [
    'a list that is changed afterwards',
    'updateKeys: list().updateKeys,',
    `const list = () => { const x = { updateKeys: ['${A}'] }; x.updateKeys.unshift('${B}'); return x; };\n`,
  ],
])('%s is left to its author', async (_, field, before) => {
  const text = config(field, before);
  await expect(trustKey(await loadProject(dir), parsePublicKey(C))).rejects.toMatchObject({
    code: 'keys-not-literal',
  });
  expect(readFileSync(file(), 'utf8')).toBe(text);
});

test('what would end with no key, or with none that signs, is refused, and the file stays', async () => {
  const one = config(`updateKeys: ['${A}'],`);
  await expect(dropKey(await loadProject(dir), 'a')).rejects.toMatchObject({ code: 'last-update-key' });
  await expect(signWith(await loadProject(dir), 'b', fine)).rejects.toMatchObject({
    code: 'no-such-update-key',
  });
  expect(readFileSync(file(), 'utf8')).toBe(one);
  const two = config(`updateKeys: ['${A}', '${B}'],`);
  await expect(dropKey(await loadProject(dir), 'a')).rejects.toMatchObject({ code: 'key-still-signs' });
  const no = async (): Promise<void> => {
    throw new Error('no private half');
  };
  await expect(signWith(await loadProject(dir), 'b', no)).rejects.toThrow('no private half');
  await expect(trustKey(await loadProject(dir), parsePublicKey(EXAMPLE_PUBLIC_KEY))).rejects.toMatchObject({
    code: 'fw-example-key-mixed',
  });
  expect(readFileSync(file(), 'utf8')).toBe(two);
});

test('a text that says nothing of the kind is not guessed at', () => {
  for (const source of [
    '',
    'updateKeys',
    'updateKeys: [',
    "x = 'updateKeys: []'",
    ['updateKeys: [`$', '{a}`]'].join(''),
    '/* updateKeys: [] */',
  ])
    expect(() => writtenKeys(source, 'fw.config.ts')).toThrow(
      expect.objectContaining({ code: 'keys-not-literal' }),
    );
});
