import { globSync } from 'node:fs';
import { type CommandBlock, commandBlocks, fences, readPage } from './blocks.ts';

/** The pages whose commands readers type, relative to the repository. */
export const PAGES: readonly string[] = [
  'README.md',
  'CONTRIBUTING.md',
  ...globSync(['docs/*.md', 'docs/otp/*.md', 'firmware/**/README.md'], {
    cwd: `${import.meta.dirname}/../..`,
  })
    .filter((path) => !path.includes('node_modules'))
    .sort(),
];

/** Makes the project that the other pages of docs/ work in. */
export const FIRST_PAGE = 'docs/getting-started.md';

export function blocksOf(page: string): CommandBlock[] {
  return commandBlocks(page, readPage(page));
}

/** Fences that do not say what they hold: nobody could tell whether a test must run them. */
export function unnamedFences(page: string): string[] {
  return fences(readPage(page))
    .filter(({ language }) => language === '')
    .map(({ line }) => `${page}:${line}`);
}

/** Relative links of a page, and the heading that each leads to, if any. */
export function links(page: string): { target: string; heading: string | undefined }[] {
  const text = readPage(page).replace(/^(`{3,}).*?^\1/gms, '');
  return [...text.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, link = '']) => link)
    .filter((link) => !/^[a-z]+:/.test(link))
    .map((link) => {
      const [target = '', heading] = link.split('#');
      return { target, heading };
    });
}

/** The anchors that a page offers, as GitHub makes them. */
export function anchors(page: string): Set<string> {
  const headings = [...readPage(page).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) => heading);
  return new Set(
    headings.map((heading) =>
      heading
        .toLowerCase()
        .replace(/[^\p{L}\p{N}\s_-]/gu, '')
        .replaceAll(' ', '-'),
    ),
  );
}
