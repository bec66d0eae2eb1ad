import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type FwOptions, fw } from './fw.ts';

/** What fw says where something is missing that users take for granted. */
let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'hearth-surroundings-'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

async function failure(args: string[], options: FwOptions): Promise<Record<string, string>> {
  const { code, stdout, stderr } = await fw([...args, '--json'], options);
  expect([code, stderr]).toEqual([1, '']);
  return (JSON.parse(stdout) as { error: Record<string, string> }).error;
}

describe('without HOME, for a user that /etc/passwd does not know', () => {
  // As in a container that runs as a number.
  const within = ['bwrap', '--dev-bind', '/', '/', '--unshare-user', '--uid', '54321', '--'];

  test.each([
    [['doctor'], { HEARTH_CACHE: '' }, 'or name one in HEARTH_CACHE.'],
    [['key', 'list'], {}, 'or name one in HEARTH_KEYS.'],
    [['new', 'sensor'], { HEARTH_KEYS: '/nowhere' }, 'Set HOME to a folder that you may write to.'],
  ])('fw %j says which folder is missing', async (args, env, remedy) => {
    expect(await failure(args, { within, env, cwd: dir })).toMatchObject({
      code: 'no-home-folder',
      remedy: expect.stringContaining(remedy),
    });
    const { stderr } = await fw(args, { within, env, cwd: dir });
    expect(stderr).toMatch(/^fw: this user has no home folder\n.* {2}do: +Set HOME.*\(no-home-folder\)\n$/s);
  });

  test('all that it needs can be named', async () => {
    const listed = await fw(['key', 'list'], { within, env: { HEARTH_KEYS: join(dir, 'keys') } });
    expect(listed).toMatchObject({ code: 0, stderr: '' });
  });
});

describe('in a folder that was deleted', () => {
  const gone = join('x', 'gone');
  const within = ['sh', '-c', `mkdir -p ${gone} && cd ${gone} && rm -r ../../x && exec "$0" "$@"`];

  test.each([[['build']], [['key', 'list']], [['clean']], [['inspect', 'a.fw']]])(
    'fw %j says so, once',
    async (args) => {
      expect(await failure(args, { within, cwd: dir })).toMatchObject({ code: 'no-current-folder' });
      const { stderr } = await fw(args, { within, cwd: dir });
      expect(stderr).toMatch(/^fw: the folder that you are in was deleted\n/);
      expect(stderr.match(/fw: /g)).toHaveLength(1);
    },
  );

  test('fw --version says the version', async () => {
    expect(await fw(['--version'], { within, cwd: dir })).toMatchObject({ code: 0, stderr: '' });
  });
});
