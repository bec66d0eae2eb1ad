import { expect, test } from 'vitest';
import { namedByCode } from './chunk-names.ts';

const files = (a: string, b: string, more = '') =>
  [
    {
      name: 'hearthd.mjs',
      text: `import"./hearthd-chunk-${a}.mjs";await import("./hearthd-services-${b}.mjs")`,
    },
    { name: `hearthd-chunk-${a}.mjs`, text: `export const x=1${more}` },
    { name: `hearthd-chunk-${a}.mjs.map`, text: '{"sources":["a.ts"]}' },
    { name: `hearthd-services-${b}.mjs`, text: `import"./hearthd-chunk-${a}.mjs"` },
  ].map(({ name, text }) => ({ name, contents: Buffer.from(text) }));

const shown = (all: ReturnType<typeof namedByCode>) =>
  all.map(({ name, contents }) => [name, Buffer.from(contents).toString()]);

test('names and imports follow from the code alone, and are as long as before', () => {
  const named = namedByCode(files('ABCDEF12', 'ZZZZZZZZ'));
  expect(shown(named)).toEqual(shown(namedByCode(files('22222222', '3A3A3A3A'))));
  const [main, chunk, map, services] = shown(named);
  expect(main?.[1]).toBe(`import"./${chunk?.[0]}";await import("./${services?.[0]}")`);
  expect(map?.[0]).toBe(`${chunk?.[0]}.map`);
  expect(services?.[1]).toBe(`import"./${chunk?.[0]}"`);
  expect(main?.[1]).toHaveLength(files('ABCDEF12', 'ZZZZZZZZ')[0]?.contents.length ?? 0);
});

test('other code has another name', () => {
  const [, chunk] = namedByCode(files('ABCDEF12', 'ZZZZZZZZ'));
  const [, other] = namedByCode(files('ABCDEF12', 'ZZZZZZZZ', ';'));
  expect(other?.name).not.toBe(chunk?.name);
});
