import { execFile } from 'node:child_process';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const ROOT = new URL('../../', import.meta.url).pathname;
const PATCHES = new URL('../mutants/supervisor/', import.meta.url).pathname;

interface Result {
  code: number;
  output: string;
}
const run = (command: string, args: string[], cwd: string): Promise<Result> =>
  new Promise((resolve) => {
    const env = { ...process.env, HEARTH_MUTANT: '1' };
    execFile(command, args, { cwd, env, maxBuffer: 1 << 26 }, (error, stdout, stderr) =>
      resolve({
        code: typeof error?.code === 'number' ? error.code : error ? 1 : 0,
        output: stdout + stderr,
      }),
    );
  });

// A test that no fault makes fail proves nothing: each patch puts one into a copy of the library.
test('every seeded fault of the supervisor is caught by its tests', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'mutants-'));
  try {
    const patches = (await readdir(PATCHES)).filter((name) => name.endsWith('.patch'));
    expect(patches.length).toBeGreaterThanOrEqual(10);
    const mutants = patches.map((name) => name.replace(/\.patch$/, ''));
    await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
    await writeFile(join(folder, 'package.json'), '{ "type": "module" }');
    for (const mutant of ['none', ...mutants]) {
      const copy = join(folder, mutant);
      await mkdir(join(copy, 'src'), { recursive: true });
      await cp(join(ROOT, 'src/otp'), join(copy, 'src/otp'), { recursive: true });
      if (mutant === 'none') continue;
      const patch = join(PATCHES, `${mutant}.patch`);
      const applied = await run('git', ['apply', '--recount', patch], copy);
      expect(applied, `${mutant} no longer applies: make it anew`).toMatchObject({ code: 0 });
    }
    const report = join(folder, 'report.json');
    // What a mutant leaves running must not keep its test waiting for long.
    const vitest = [
      join(ROOT, 'node_modules/vitest/vitest.mjs'),
      'run',
      '--root',
      folder,
      '--testTimeout=4000',
    ];

    const { output } = await run(
      process.execPath,
      [...vitest, 'src/otp/supervisor/', '--reporter=json', `--outputFile=${report}`],
      folder,
    );
    const { testResults } = JSON.parse(
      await readFile(report, 'utf8').catch(() => Promise.reject(new Error(output))),
    ) as {
      testResults: { name: string; status: string }[];
    };
    const caught = new Set(
      testResults
        .filter(({ status }) => status === 'failed')
        .map(({ name }) => name.slice(folder.length + 1).split('/')[0]),
    );
    expect([...caught].sort()).toEqual(mutants.sort());
  } finally {
    await rm(folder, { recursive: true });
  }
}, 120_000);
