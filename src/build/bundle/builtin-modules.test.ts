import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';

const FILE = join(import.meta.dirname, '../../../bin/node-exports.json');

/** In a Node of its own: the one that runs the tests has been changed by what runs them. */
const LIST = `
const modules = {};
for (const name of require('node:module').builtinModules) {
  if (name.startsWith('_')) continue;
  const names = Object.keys(process.getBuiltinModule(name) ?? {});
  modules[name] = names.filter((each) => each !== 'default' && /^[\\w$]+$/.test(each));
}
console.log(JSON.stringify(modules));
`;

/** What adds to Node's own modules. */
const OPTIONS = [
  ...['--experimental-vm-modules', '--permission', '--allow-fs-read=*', '--no-warnings'],
  ...['--no-deprecation', '--trace-deprecation', '--throw-deprecation'],
];

/** What there is with these options, and with the IPC channel that every app has. */
async function listed(...options: string[]): Promise<Record<string, string[]>> {
  // Some are deprecated, and Node says so.
  const { stdout } = spawn(process.execPath, [...options, '-e', LIST], {
    stdio: ['ignore', 'pipe', 'ignore', 'ipc'],
    env: {},
  });
  return JSON.parse(stdout ? await text(stdout) : '');
}

// After a change of the pinned Node: scripts/test src/build/bundle/builtin-modules.test.ts -u
test('the list of what the modules of Node export is that of the pinned Node, with all that an app may have it offer', async () => {
  const plain = await listed();
  // Not with these alone: where there are permissions there is no inspector, and what comes with it.
  const more = await listed(...OPTIONS);
  const all = Object.entries(plain).map(([name, names]) => [
    name,
    [...new Set([...names, ...(more[name] ?? [])])].toSorted(),
  ]);
  const printed = JSON.stringify(Object.fromEntries(all), null, 1);
  await expect(`${printed.replaceAll('\n  ', ' ').replaceAll('\n ]', ' ]')}\n`).toMatchFileSnapshot(FILE);
});
