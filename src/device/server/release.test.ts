import { expect, test } from 'vitest';
import { parseNodeArgs, type ReleaseInfo, releaseEnvironment } from './release.ts';

const info: ReleaseInfo = {
  name: 'shop',
  version: '1.2.3',
  id: 'an-id',
  target: 'linux_x64',
  env: 'prod',
  node: '24.0.0',
  app: {
    beatTimeoutMs: 5000,
    maxRestarts: 3,
    restartWindowMs: 60_000,
    stopTimeoutMs: 5000,
    env: { PORT: '80', FW_ENV: 'dev' },
  },
};
const paths = { root: '/r', lib: '/r/lib', var: '/v' };

test('the operator may replace what was built in, and neither may replace what Hearth sets', () => {
  const env = releaseEnvironment(info, paths, { PORT: '8080', HEARTH_DATA: '/elsewhere', HEARTH_LOG: '/l' });
  expect(env).toMatchObject({ PORT: '8080', FW_ENV: 'prod', HEARTH_DATA: '/v/data', NODE_ENV: 'production' });
});

test('the app does not learn of hearthd’s link to heart', () => {
  const env = releaseEnvironment(info, paths, { HEART_FD: '3', HEART_BEAT_TIMEOUT: '10', HEARTH_LOG: '/l' });
  expect(Object.keys(env).filter((name) => /^HEART_|_LOG$/.test(name))).toEqual([]);
});

test('node.args: one argument a line, blanks inside kept, comments and empty lines passed over', () => {
  expect(parseNodeArgs('# comment\n\n--max-old-space-size=512\r\n  --title=my shop  \n')).toEqual([
    '--max-old-space-size=512',
    '--title=my shop',
  ]);
});
