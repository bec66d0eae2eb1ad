import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../firmware.ts';
import { outcome, printed, startFw } from '../real/fw.ts';

const APPS = join(import.meta.dirname, '..', '..', 'firmware', 'apps');

test('fw run builds, boots, forwards a port, keeps the disk, and ends with the machine', async () => {
  await using folder = await temporaryFolder();
  // Without what a developer's own builds and runs have left there.
  const isSource = (path: string): boolean => !/\.hearth$|\.fw$|\.fw\.map$/.test(path);
  await cp(APPS, join(folder.path, 'apps'), { recursive: true, filter: isSource });
  const cwd = join(folder.path, 'apps', 'hello');

  const first = startFw(['run', '--target', 'x86_64', '--headless', '--forward', '0:8080'], { cwd });
  const ended = outcome(first);
  const [, port] = await printed(first, /127\.0\.0\.1:(\d+)/);
  await printed(first, /\[hearth\] ready target=x86_64 .*\n/);
  expect(await (await fetch(`http://127.0.0.1:${port}/health`)).json()).toMatchObject({
    ok: true,
    target: 'x86_64',
  });
  first.kill('SIGINT');
  const { signal, stderr, stdout } = await ended;
  expect({ signal, stderr }).toMatchObject({ signal: 'SIGINT', stderr: expect.stringContaining('(made)') });
  expect(stdout).toContain('[hearth] last reset: first-boot');

  // The same firmware again, as a file: the disk is the one of before, which was cut off.
  const again = startFw(['run', 'hello-1.0.0-x86_64.fw', '--headless'], { cwd });
  const endedAgain = outcome(again);
  await printed(again, /\[hearth\] last reset: unknown \(power loss/);
  again.kill('SIGTERM');
  expect(await endedAgain).toMatchObject({ signal: 'SIGTERM', stderr: expect.stringContaining('(kept)') });
});
