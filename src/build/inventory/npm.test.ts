import { mkdirSync, mkdtempSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { EXAMPLE_PUBLIC_KEY } from '../../archive/index.ts';
import { resolveConfig } from '../../project/load.ts';
import { bundleApp } from '../bundle/index.ts';
import { bundledPackages, type FoundPackage } from './npm.ts';

let dir: string;
beforeEach(() => {
  dir = realpathSync(mkdtempSync(join(tmpdir(), 'hearth-npm-')));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

function put(files: Record<string, string | object>): void {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(dir, path)), { recursive: true });
    writeFileSync(join(dir, path), typeof content === 'string' ? content : JSON.stringify(content));
  }
}

async function packagesOf(project: string): Promise<FoundPackage[]> {
  const config = {
    name: 'x',
    version: '1.0.0',
    app: 'app.ts',
    targets: ['x86_64'],
    updateKeys: [EXAMPLE_PUBLIC_KEY],
  };
  const configFile = join(project, 'fw.config.ts');
  const bundle = await bundleApp(
    { dir: project, configFile, config: resolveConfig(config, configFile) },
    'x86_64',
  );
  return bundledPackages([{ by: 'app', files: bundle.inputs, project: realpathSync(project) }]);
}

test('what the bundle holds, not what is installed, with the facts of its package.json and of the lock', async () => {
  put({
    'app/app.ts': `
      import { used } from '@scope/used';
      import type { Type } from 'types-only';
      import { unused } from 'shaken-off';
      import 'nothing-in-it';
      import { device } from 'hearthfw';
      import local from './sub/local.ts';
      console.log(used, local as Type, device);`,
    'app/sub/local.ts': 'export default 1;',
    'app/package.json': { name: 'app', version: '9.9.9' },
    'app/package-lock.json': {
      packages: {
        'node_modules/@scope/used': { version: '1.2.3', integrity: 'sha512-aaaa' },
        'node_modules/@scope/used/node_modules/inner': { version: '2.0.0', integrity: 'sha512-stale' },
      },
    },
    'app/node_modules/@scope/used/package.json': {
      name: '@scope/used',
      version: '1.2.3',
      license: 'MIT',
      main: 'lib/i.js',
    },
    'app/node_modules/@scope/used/lib/package.json': { type: 'commonjs' },
    'app/node_modules/@scope/used/lib/i.js': "exports.used = require('inner');",
    'app/node_modules/@scope/used/LICENSE.md': 'MIT, in words',
    'app/node_modules/@scope/used/licenses/x': 'in a folder',
    'app/node_modules/@scope/used/node_modules/inner/package.json': {
      name: 'inner',
      version: '2.0.1',
      licenses: [{ type: 'MIT' }, { type: 'Apache-2.0' }],
    },
    'app/node_modules/@scope/used/node_modules/inner/index.js': 'module.exports = 1;',
    'app/node_modules/types-only/package.json': { name: 'types-only', version: '1.0.0' },
    'app/node_modules/types-only/index.ts': 'export type Type = number;',
    'app/node_modules/nothing-in-it/package.json': { name: 'nothing-in-it', version: '1.0.0' },
    'app/node_modules/nothing-in-it/index.js': '// but words',
    'app/node_modules/shaken-off/package.json': { name: 'shaken-off', version: '1.0.0', sideEffects: false },
    'app/node_modules/shaken-off/index.js': 'export const unused = 1;',
  });
  const found = await packagesOf(join(dir, 'app'));
  expect(
    found.map(({ folder: _, texts, usedBy, ...facts }) => ({
      ...facts,
      texts: [...texts.keys()],
      by: [...usedBy],
    })),
  ).toEqual([
    {
      name: '@scope/used',
      version: '1.2.3',
      licence: 'MIT',
      integrity: 'sha512-aaaa',
      texts: ['LICENSE.md'],
      by: ['app'],
    },
    // The lock speaks of another version: its hash is not this one's.
    { name: 'inner', version: '2.0.1', licence: '(MIT OR Apache-2.0)', texts: [], by: ['app'] },
  ]);
});

test('a package of the same repository counts; the project is its own, also behind a link', async () => {
  put({
    'repo/package.json': { name: 'repo' },
    'repo/shared.ts': 'export const shared = 1;',
    'repo/lib/package.json': { name: '@repo/lib', version: '0.1.0', license: 'ISC', main: 'index.ts' },
    // No constant: its value would be all that is left of it in the bundle.
    'repo/lib/index.ts': 'export const lib = process.pid;',
    'repo/app/app.ts':
      "import { lib } from '@repo/lib';\nimport { shared } from '../shared.ts';\nconsole.log(lib, shared);",
    'repo/app/package.json': { name: 'app' },
  });
  mkdirSync(join(dir, 'repo/node_modules/@repo'), { recursive: true });
  symlinkSync(join(dir, 'repo/lib'), join(dir, 'repo/node_modules/@repo/lib'));
  symlinkSync(join(dir, 'repo'), join(dir, 'link'));
  for (const project of ['repo/app', 'link/app']) {
    const found = await packagesOf(join(dir, project));
    expect(found.map(({ name, version, licence }) => [name, version, licence])).toEqual([
      ['@repo/lib', '0.1.0', 'ISC'],
    ]);
  }
});

test('a name and a version that npm would not publish are not taken over: they become part of a path', async () => {
  put({
    'app/app.ts': "import wild from 'wild'; console.log(wild);",
    'app/node_modules/wild/package.json': { name: '../../etc', version: '1/../../x', main: 'index.js' },
    'app/node_modules/wild/index.js': 'module.exports = 1;',
  });
  const [found] = await packagesOf(join(dir, 'app'));
  expect(found).toMatchObject({ name: 'wild' });
  expect(found?.version).toBeUndefined();
});
