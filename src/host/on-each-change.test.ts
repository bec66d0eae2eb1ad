import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { EXAMPLE_PUBLIC_KEY } from '../archive/index.ts';
import { bundleApp } from '../build/bundle/index.ts';
import { loadProject } from '../project/load.ts';
import { onEachChange } from './on-each-change.ts';

const CONFIG = {
  ...{ name: 'bare', version: '1.0.0', app: 'src/app.ts', targets: ['x86_64'] },
  updateKeys: [EXAMPLE_PUBLIC_KEY],
};

let dir: string;
let end: () => Promise<void>;
beforeEach(() => {
  dir = realpathSync(mkdtempSync(join(tmpdir(), 'hearth-change-')));
  save({ 'fw.config.ts': `export default ${JSON.stringify(CONFIG)};\n` });
});
afterEach(async () => {
  await end();
  rmSync(dir, { recursive: true });
});

type Files = Record<string, string | Uint8Array>;

function save(files: Files): void {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(dir, path)), { recursive: true });
    writeFileSync(join(dir, path), content);
  }
}

/**
 * Bundles the project on each change, as fw start and fw dev do.
 * @param onBundled before anything else learns that it is bundled
 * @returns what came of it, so far: the code, or the code of the error
 */
function watching(files: Files, onBundled?: () => void): string[] {
  save(files);
  const outcomes: string[] = [];
  const ended = new AbortController();
  const loop = onEachChange(dir, ended.signal, {
    async prepare(seen) {
      const { code } = await bundleApp(await loadProject(dir), 'x86_64', { env: 'dev', seen });
      onBundled?.();
      return Buffer.from(code).toString();
    },
    run: async (code) => void outcomes.push(code),
    onBroken: ({ code }) => void outcomes.push(code),
  });
  end = async () => {
    ended.abort();
    await loop;
  };
  return outcomes;
}

const WAIT = { timeout: 20_000 };
const comes = (outcomes: string[], text: string): Promise<void> =>
  vi.waitFor(() => expect(outcomes.at(-1)).toContain(text), WAIT);

describe('a change is seen', () => {
  test.each<[string, Files, Files]>([
    [
      'of a file whose constants are all that the code has of it',
      {
        'src/app.ts': "import { C } from './c.ts';\nconsole.log(C.Red);\n",
        'src/c.ts': 'export enum C { Red = 1 }',
      },
      { 'src/c.ts': 'export enum C { Red = 77077 }' },
    ],
    [
      'of a file with nothing in it yet',
      {
        'src/app.ts': "import './lib/setup.ts';\nconsole.log(1);\n",
        'src/lib/setup.ts': '// To be written.\n',
      },
      { 'src/lib/setup.ts': 'console.log(77077);\n' },
    ],
    [
      'of the configuration of the runtime',
      { 'src/app.ts': 'console.log(1);\n', 'config/runtime.ts': 'console.log(2);\n' },
      { 'config/runtime.ts': 'console.log(77077);\n' },
    ],
  ])('%s', async (_name, files, change) => {
    const outcomes = watching(files);
    await comes(outcomes, 'console.log(1');
    save(change);
    await comes(outcomes, '77077');
  });

  test('of a native addon', async () => {
    const heart = new URL('../../firmware/heart/prebuilt/x86_64/heart', import.meta.url);
    const outcomes = watching({
      'src/app.ts': "import a from './lib/a.node';\nconsole.log(1, a);\n",
      'src/lib/a.node': readFileSync(heart),
    });
    await comes(outcomes, 'console.log(1');
    save({ 'src/lib/a.node': Buffer.concat([readFileSync(heart), Buffer.alloc(1)]) });
    await vi.waitFor(() => expect(new Set(outcomes).size).toBe(2), WAIT);
  });

  test('that is saved while the bundle is made', async () => {
    const late: Files[] = [
      { 'src/app.ts': "import './new.ts';\n", 'src/new.ts': 'console.log(2);\n' },
      { 'src/new.ts': 'console.log(77077);\n' },
    ];
    const outcomes = watching({ 'src/app.ts': 'console.log(1);\n' }, () => save(late.shift() ?? {}));
    await comes(outcomes, '77077');
  });
});

describe('what is broken is mended', () => {
  const BEFORE = { 'src/app.ts': 'console.log(1);\n' };

  test.each<[string, Files, Files]>([
    [
      'by a correction of the file that broke it',
      { 'src/app.ts': "import './lib/n.ts';\n", 'src/lib/n.ts': 'const n = ;' },
      { 'src/lib/n.ts': 'console.log(77077);\n' },
    ],
    [
      'by a file that was not there',
      { 'src/app.ts': "import './n.ts';\n" },
      { 'src/n.ts': 'console.log(77077);\n' },
    ],
    [
      'by a file that is found under another name, in a folder that was not there',
      { 'src/app.ts': "import './lib/n.js';\n" },
      { 'src/lib/n.ts': 'console.log(77077);\n' },
    ],
    [
      'by a package that was not installed',
      { 'src/app.ts': "import 'n';\n" },
      { 'node_modules/n/index.js': 'console.log(77077);\n' },
    ],
    ['by the entry, which was away', {}, { 'src/app.ts': 'console.log(77077);\n' }],
  ])('%s', async (_name, broken, mended) => {
    const outcomes = watching(BEFORE);
    await comes(outcomes, 'console.log(1)');
    renameSync(join(dir, 'src'), join(dir, 'gone'));
    save(broken);
    await vi.waitFor(() => expect(outcomes.at(-1)).toMatch(/^(app-bundle|entry-missing)$/), WAIT);
    save(mended);
    await comes(outcomes, '77077');
  });

  test('not by what an editor writes beside it', async () => {
    const outcomes = watching(BEFORE);
    await comes(outcomes, 'console.log(1)');
    save({ 'src/app.ts': "import './n.ts';\n" });
    await comes(outcomes, 'app-bundle');
    const before = outcomes.length;
    save({ 'src/.app.ts.swp': '', 'src/app.ts~': '' });
    // Longer than a bundle takes.
    await setTimeout(500);
    expect(outcomes).toHaveLength(before);
  });
});
