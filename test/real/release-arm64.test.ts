import { execFile } from 'node:child_process';
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import type { ReleaseResult } from '../../src/build/release/index.ts';
import { copyHello, fwJson } from './fw.ts';

/**
 * The linux_arm64 release, run: its own Node and heart under QEMU's emulation of a process. What that cannot show is an arm64
 * kernel: system calls are the host's, and so are cgroups. Nor does the host know how to start an arm64 program by itself, so
 * each of the two stands behind a script here, and Node is told that the script is what it was started as.
 */
let dir: string;
let root: string;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'hearth-release-arm64-'));
  const app = await copyHello(dir);
  const config = join(app, 'fw.config.ts');
  writeFileSync(config, readFileSync(config, 'utf8').replace('port: 8080', 'port: 0'));
  const options = ['release', '--app', app, '--out', dir, '--target', 'linux_arm64'];
  root = (await fwJson<ReleaseResult>(options)).folder;
  const lib = join(root, 'lib');
  const started = join(dir, 'started-as.cjs');
  writeFileSync(started, `process.execPath = ${JSON.stringify(join(lib, 'node'))};\n`);
  for (const name of ['node', 'heart']) {
    const program = join(lib, `${name}.arm64`);
    renameSync(join(lib, name), program);
    // Debian's libraries for arm64, such as the server has: they come with the cross compiler.
    const emulated = `exec qemu-aarch64 -L /usr/aarch64-linux-gnu '${program}' "$@"`;
    writeFileSync(join(lib, name), `#!/bin/sh\nexport NODE_OPTIONS='--require ${started}'\n${emulated}\n`, {
      mode: 0o755,
    });
  }
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

async function control(...args: string[]): Promise<string> {
  const env = { PATH: process.env.PATH, HEARTH_START_SECONDS: '170' };
  return (await promisify(execFile)(join(root, 'bin', 'hello'), args, { env })).stdout;
}

test('knows its version, and evaluates', async () => {
  expect(await control('version')).toBe('hello 1.0.0\n');
  expect(await control('eval', '[process.arch, process.env.HEARTH_TARGET, 1 + 1]')).toBe(
    "[ 'arm64', 'linux_arm64', 2 ]\n",
  );
});

test('starts the app under hearthd and heart, and stops', async () => {
  onTestFinished(async () => void (await control('stop')));
  await control('start');
  expect(await control('pid')).toMatch(/^\d+\n$/);
  expect(readFileSync(join(root, 'var', 'log', 'hello.log'), 'utf8')).toContain('hello 1.0.0 is healthy');
  await control('stop');
  await expect(control('pid')).rejects.toMatchObject({ stderr: 'hello: it does not run\n' });
});
