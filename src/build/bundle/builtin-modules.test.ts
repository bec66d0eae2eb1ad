import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const FILE = join(import.meta.dirname, '../../../bin/node-exports.json');

/** In a Node of its own: the one that runs the tests has been changed by what runs them. */
const PRINT = `
const modules = {};
for (const name of require('node:module').builtinModules) {
  if (name.startsWith('_')) continue;
  const names = Object.keys(process.getBuiltinModule(name) ?? {}).sort();
  modules[name] = names.filter((each) => each !== 'default' && /^[\\w$]+$/.test(each));
}
console.log(JSON.stringify(modules, null, 1).replaceAll('\\n  ', ' ').replaceAll('\\n ]', ' ]'));
`;

// After a change of the pinned Node: scripts/test src/build/bundle/builtin-modules.test.ts -u
test('the list of what the modules of Node export is that of the pinned Node', async () => {
  // Some are deprecated, and Node says so.
  const printed = execFileSync(process.execPath, ['-e', PRINT], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'ignore'],
    env: {},
  });
  await expect(printed).toMatchFileSnapshot(FILE);
});
