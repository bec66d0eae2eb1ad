import { existsSync, globSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type CommandBlock,
  commandBlocks,
  commands,
  outputPattern,
  REPOSITORY,
  readPage,
} from '../docs/blocks.ts';
import { codesIn, codesInPage, codesInSources } from '../docs/codes.ts';
import { constantParts, deviceSources, shownLines } from '../docs/lines.ts';
import { mentions, mentionsIn, misled } from '../docs/mentions.ts';
import { anchors, blocksOf, FIRST_PAGE, links, PAGES, unnamedFences } from '../docs/pages.ts';
import { Sandbox } from '../docs/sandbox.ts';

describe('error codes and docs/troubleshooting.md', () => {
  const { exact, patterns, unknown } = codesInSources();
  const explained = codesInPage(readPage('docs/troubleshooting.md'));

  test('every code that the sources can make is explained there', () => {
    expect(unknown, 'codes that the test cannot read').toEqual([]);
    expect(exact.size).toBeGreaterThan(80);
    const missing = [...exact].filter(([code]) => !explained.has(code));
    expect(Object.fromEntries(missing)).toEqual({});
    for (const { pattern, file } of patterns)
      expect(
        [...explained].filter((code) => pattern.test(code)),
        `${pattern} of ${file}`,
      ).not.toEqual([]);
  });

  test('no code is explained there that the sources do not make', () => {
    const known = (code: string): boolean =>
      exact.has(code) || patterns.some(({ pattern }) => pattern.test(code));
    expect([...explained].filter((code) => !known(code))).toEqual([]);
  });

  test('are read from calls, through parameters and templates', () => {
    const text = `
      throw new FwError('plain', 'x');
      throw new FormatError('tar', 'x');
      function named(code: string): void { throw new FwError(code, 'a, (b'); }
      named('by-caller');
      function again(error: FwError) {
        const { code, message } = error;
        return new FwError(code, message);
      }
      class Own extends FwError { constructor() { super('own', 'x'); } }
      const gone = (why: string) => new FwError(why, 'x');`;
    const { exact: found, unknown: unread } = codesIn([{ file: 'a.ts', text }]);
    expect([...found.keys()]).toEqual(['plain', 'by-caller', 'bad-tar', 'own']);
    expect(unread).toEqual(['a.ts: new FwError(why, …)']);
  });
});

test('the console lines that docs/troubleshooting.md explains are those that devices write', () => {
  const sources = deviceSources();
  const lines = shownLines(readPage('docs/troubleshooting.md'), 'On the device');
  expect(lines.length).toBeGreaterThan(25);
  for (const line of lines) {
    for (const part of constantParts(line)) expect(sources.includes(part), `${line}: "${part}"`).toBe(true);
  }
});

test('docs/faq.md lists the environment variables that fw reads', () => {
  const listed = [...readPage('docs/faq.md').matchAll(/^\| `(HEARTH_[A-Z_]+)` \|/gm)].map(([, name]) => name);
  const text = globSync('{src,bin}/**/*.{ts,js}', {
    cwd: REPOSITORY,
    // develop.ts hands the app what hearthd hands it on a device, and reads nothing.
    exclude: ['src/device/**', 'src/otp/**', 'src/host/develop.ts', '**/*.test.ts'],
  })
    .map((file) => readPage(file))
    .join('\n');
  const read = new Set([...text.matchAll(/\bHEARTH_[A-Z_]+/g)].map(([name]) => name));
  // A constant's name, and what only tests read.
  for (const other of ['HEARTH_TEST_SEED', 'HEARTH_DOC']) read.delete(other);
  expect(listed).toEqual([...read].sort());
});

describe('pages', () => {
  test.each(PAGES)('%s: links lead somewhere, and each fence says what it holds', (page) => {
    expect(unnamedFences(page)).toEqual([]);
    for (const { target, heading } of links(page)) {
      const path = target === '' ? page : join(page, '..', target);
      expect(existsSync(join(REPOSITORY, path)), `${page} links to ${target}`).toBe(true);
      // The npm package carries docs/, and no more of the repository than these.
      if (page.startsWith('docs/')) expect(path).toMatch(/^(docs\/|README\.md$|NOTICE$|LICENSE$)/);
      if (heading !== undefined) expect([...anchors(path)], `${page} links to ${target}`).toContain(heading);
    }
  });

  test.each(PAGES)('%s: a test that a block names is there', (page) => {
    for (const { marker, line } of blocksOf(page)) {
      if (marker?.kind !== 'run-by') continue;
      expect(existsSync(join(REPOSITORY, marker.test)), `${page}:${line}: ${marker.test}`).toBe(true);
    }
  });

  test.each(PAGES)('%s: fw has every verb and option that it mentions', (page) => {
    const wrong = mentions(page).flatMap((mention) => {
      const why = misled(mention);
      return why === undefined ? [] : [`${page}:${mention.line}: ${why}`];
    });
    expect(wrong).toEqual([]);
  });

  test('mentions are found in sentences and blocks, and judged', () => {
    const found = mentionsIn(
      '`npx fw key show NAME`, `fw nothing` and `fwx`\n```sh\nfw build --nope   # fw ever\n```\n',
    );
    expect(found.map(({ line, words }) => [line, words.join(' ')])).toEqual([
      [1, 'key show NAME'],
      [1, 'nothing'],
      [3, 'build --nope'],
    ]);
    expect(found.map(misled)).toEqual([undefined, 'fw has no verb nothing', 'fw build has no option --nope']);
  });

  test('a marker that says nothing known is refused, with its line', () => {
    const page = (marker: string): string => `x\n\n<!-- ${marker} -->\n\`\`\`sh\ntrue\n\`\`\`\n`;
    expect(commandBlocks('p.md', page('not run: needs a board'))).toMatchObject([
      { line: 4, text: 'true', marker: { kind: 'not-run', reason: 'needs a board' } },
    ]);
    for (const wrong of ['not run: too slow', 'run by nobody'])
      expect(() => commandBlocks('p.md', page(wrong))).toThrow('p.md:4: ');
  });

  test('shown output is compared word by word, but for …', () => {
    const shown = outputPattern('made my-app  (3 files)\n…\nready in … s');
    expect('made my-app (3 files)\nmore\nready in 0.3 s').toMatch(shown);
    expect('made my-app (4 files)\nready in 0.3 s').not.toMatch(shown);
  });
});

/** Runs the blocks of the pages that are not marked, in their order, as a reader would; a page begins in its folder. */
function runsBlocks(
  pages: readonly string[],
  folderOf: (page: string) => string,
  sandbox: () => Sandbox,
): void {
  for (const page of pages) {
    const blocks = blocksOf(page).filter(({ marker }) => marker === undefined);
    for (const [index, block] of blocks.entries()) {
      test(titleOf(block), async () => {
        if (index === 0) sandbox().cwd = join(sandbox().folder, folderOf(page));
        await runBlock(block, sandbox());
      });
    }
  }
}

function titleOf({ page, line, text }: CommandBlock): string {
  return `${page}:${line}: ${text.split('\n')[0]}`;
}

async function runBlock(block: CommandBlock, sandbox: Sandbox): Promise<void> {
  for (const { text, prints } of commands(block)) {
    const { code, output } = await sandbox.run(text);
    expect(code, `${text}\n${output}`).toBe(0);
    if (prints !== undefined) expect(output, text).toMatch(outputPattern(prints));
  }
}

describe('the commands of the docs', () => {
  let sandbox: Sandbox;
  beforeAll(async () => {
    sandbox = await Sandbox.open();
    await sandbox.pack();
  });
  afterAll(() => sandbox[Symbol.asyncDispose]());

  runsBlocks(
    [FIRST_PAGE],
    () => '.',
    () => sandbox,
  );
  // The other pages go on in the project that the first one has made.
  const others = PAGES.filter((page) => page.startsWith('docs/') && page !== FIRST_PAGE);
  runsBlocks(
    others,
    () => 'my-app',
    () => sandbox,
  );
});

describe('the commands of a clone', () => {
  let sandbox: Sandbox;
  beforeAll(async () => {
    sandbox = await Sandbox.open();
    await sandbox.checkOut();
  });
  afterAll(() => sandbox[Symbol.asyncDispose]());

  const pages = PAGES.filter((page) => !page.startsWith('docs/'));
  runsBlocks(pages, dirname, () => sandbox);
});
