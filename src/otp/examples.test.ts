import { execFileSync, spawnSync } from 'node:child_process';
import { globSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { fences } from '../../test/docs/blocks.ts';

/**
 * The chapters in docs/otp show programs: each is a file of docs/otp/examples, runs as it stands, and prints what the
 * comments behind its `console.log(…);` say. They run on the pinned Node, and on the machine's own where that is older: the
 * library must load on every Node that apps are developed with.
 */

/** Chapters that hold to this: `NAME.md` shows `examples/NAME-*.ts`, and nothing else. */
const CHAPTERS = ['config', 'logger', 'port', 'registry', 'server', 'supervisor', 'sys', 'telemetry'];

const DOCS = join(import.meta.dirname, '../../docs/otp');
const files = CHAPTERS.flatMap((name) => globSync(`examples/${name}-*.ts`, { cwd: DOCS })).sort();
const shown = CHAPTERS.map((name) => `${name}.md`).flatMap((page) =>
  fences(readFileSync(join(DOCS, page), 'utf8'))
    .filter(({ language }) => language === 'ts')
    .map(({ text, line }) => ({ text, where: `${page}:${line}` })),
);
const sources = new Map(files.map((file) => [file, readFileSync(join(DOCS, file), 'utf8')]));

const own = execFileSync('node', ['--version'], { encoding: 'utf8' }).trim();
const nodes = new Map([['the pinned Node', process.execPath]]);
if (Number.parseInt(own.slice(1), 10) < 22) nodes.set(`Node ${own}`, 'node');

const folder = mkdtempSync(join(tmpdir(), 'hearth-examples-'));
afterAll(() => rmSync(folder, { recursive: true }));
beforeAll(async () => {
  await build({
    entryPoints: files.map((file) => join(DOCS, file)),
    outdir: folder,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    platform: 'node',
    format: 'esm',
    target: 'node20',
    alias: { hearthfw: join(import.meta.dirname, 'index.ts') },
  });
});

test('a page shows examples as they are, and every example is shown', () => {
  const texts = new Set([...sources.values()].map((text) => text.trimEnd()));
  expect(shown.filter(({ text }) => !texts.has(text.trimEnd())).map(({ where }) => where)).toEqual([]);
  const inPages = new Set(shown.map(({ text }) => text.trimEnd()));
  expect(files.filter((file) => !inPages.has(sources.get(file)?.trimEnd() ?? ''))).toEqual([]);
});

describe.each([...nodes])('on %s', (_, node) => {
  test.each(files)('%s', (file) => {
    const program = join(folder, basename(file).replace(/\.ts$/, '.mjs'));
    const { status, stdout, stderr } = spawnSync(node, [program], { encoding: 'utf8', timeout: 20_000 });
    expect({ status, stderr: status === 0 ? '' : stderr }).toEqual({ status: 0, stderr: '' });
    const source = sources.get(file) ?? '';
    const said = [...source.matchAll(/console\.log\(.*\); \/\/ (.*)$/gm)].map(([, text]) => text);
    expect(stdout.split('\n')).toEqual(expect.arrayContaining(said));
  });
});
