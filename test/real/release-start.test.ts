import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, expect, onTestFinished, test, vi } from 'vitest';
import type { ReleaseResult } from '../../src/build/release/index.ts';
import { copyHello, fwJson, type Outcome, outcome } from './fw.ts';

/** Several starts of one release at once: one of them starts it. */

let dir: string;
let release: ReleaseResult;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'hearth-release-start-'));
  const app = await copyHello(dir);
  const config = join(app, 'fw.config.ts');
  writeFileSync(config, readFileSync(config, 'utf8').replace('port: 8080', 'port: 0'));
  mkdirSync(join(app, 'release', 'hooks'), { recursive: true });
  // As migrations do, it takes its time: until there is a file `go`.
  writeFileSync(
    join(app, 'release', 'hooks', 'pre_start'),
    `#!/bin/sh\necho $PPID >>"$HEARTH_VAR/begun"\nuntil [ -e "$HEARTH_VAR/go" ]; do sleep 0.05; done\n`,
  );
  release = await fwJson<ReleaseResult>(['release', '--app', app, '--out', dir]);
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

let vars: string;
beforeEach(() => {
  vars = mkdtempSync(join(dir, 'var-'));
});
afterEach(async () => {
  expect(await outcome(control('stop'))).toMatchObject({ code: 0 });
});

function control(...args: string[]): ChildProcess {
  const child = spawn(join(release.folder, 'bin', 'hello'), args, {
    env: { PATH: process.env.PATH, HEARTH_VAR: vars },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  return child;
}

const letGo = (): void => writeFileSync(join(vars, 'go'), '');

/** The starts that have begun with the hook. */
function begun(): number[] {
  try {
    return readFileSync(join(vars, 'begun'), 'utf8').trimEnd().split('\n').map(Number);
  } catch {
    return [];
  }
}

test('a start while another one is at its hook is refused, and does nothing', async () => {
  const first = control('start');
  const ended = outcome(first);
  await vi.waitUntil(() => begun().length > 0, { timeout: 20_000, interval: 20 });
  for (const args of [['start'], ['start', '--console']]) {
    expect(await outcome(control(...args))).toMatchObject({
      code: 1,
      stderr: `hello: it is being started already, by process ${first.pid}\n`,
    });
  }
  letGo();
  expect(await ended).toMatchObject({ code: 0, stderr: '' });
  expect(begun()).toEqual([first.pid]);
  expect(await outcome(control('start'))).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('it runs already'),
  });
  // Nothing of it is left but the running one's own files.
  expect(readdirSync(join(vars, 'run')).sort()).toEqual(['hello.pid', 'hello.ready', 'hello.sock']);
});

test('of many at once never two go on', async () => {
  letGo();
  const all = await Promise.all(Array.from({ length: 5 }, (): Promise<Outcome> => outcome(control('start'))));
  const started = all.filter(({ code }) => code === 0);
  // All may have stepped back from each other to the last; two may never have gone on.
  expect(started.length).toBeLessThanOrEqual(1);
  expect(begun()).toHaveLength(started.length);
  for (const { stderr } of all.filter(({ code }) => code !== 0))
    expect(stderr).toMatch(/^hello: it (is being started|runs) already, /);
});

test('a start that was killed is in nobody’s way', async () => {
  const killed = control('start');
  await vi.waitUntil(() => begun().length > 0, { timeout: 20_000, interval: 20 });
  killed.kill('SIGKILL');
  await once(killed, 'exit');
  letGo();
  expect(await outcome(control('start'))).toMatchObject({ code: 0, stderr: '' });
});
