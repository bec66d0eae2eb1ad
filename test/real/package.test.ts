import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import type { BuildResult } from '../../src/build/firmware.ts';
import { packHearthfw } from '../pack.ts';
import { bareMachine } from './bare-machine.ts';
import { CACHE, copyHello, type FwOptions, fw, fwJson } from './fw.ts';

const run = promisify(execFile);
const REPOSITORY = join(import.meta.dirname, '..', '..');

/** The npm package as users get it: packed from this checkout, installed by npm, and put to work. */
let dir: string;
let tarball: string;
/** A project whose only dependency is the package. */
let project: string;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'hearth-package-'));
  tarball = await packHearthfw(dir);
  project = await copyHello(dir);
  writeFileSync(join(project, 'package.json'), JSON.stringify({ name: 'hello', type: 'module' }));
  await run('npm', ['install', '--ignore-scripts', '--prefer-offline', tarball], { cwd: project });
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const door = (): string => join(installed(), 'dist', 'bin', 'fw.js');
const installed = (): string => join(project, 'node_modules', 'hearthfw');

describe('the tarball', () => {
  test('is what publint expects of a package', async () => {
    const { messages, pkg } = await publint({
      pack: { tarball: new Uint8Array(readFileSync(tarball)).buffer },
      strict: true,
    });
    expect(messages.map((message) => formatMessage(message, pkg))).toEqual([]);
  });

  test('holds compiled code, its types, and what that code reads; no tests, and nobody else’s sources', () => {
    const files = readdirSync(installed(), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(installed().length + 1));
    const surprising = files.filter(
      (path) =>
        !/^(dist\/.*\.(js|d\.ts|json)|dist\/firmware\/(heart\/prebuilt|rootfs|release|tryboot)\/.*|dist\/src\/project\/new\/template\/.*|docs\/([^/]*\.(md|svg)|otp\/([^/]*\.md|examples\/[^/]*\.ts))|package\.json|README\.md|LICENSE|NOTICE)$/.test(
          path,
        ),
    );
    expect(surprising).toEqual([]);
    expect(files.filter((path) => /\.(test|fixture)\./.test(path) && !path.includes('/template/'))).toEqual(
      [],
    );
    expect(files).toEqual(expect.arrayContaining(['LICENSE', 'NOTICE', 'README.md', 'docs/config.md']));
  });

  test('brings heart for every architecture, ready to run', () => {
    const prebuilt = join(installed(), 'dist', 'firmware', 'heart', 'prebuilt');
    const checkout = join(REPOSITORY, 'firmware', 'heart', 'prebuilt');
    for (const arch of ['x86_64', 'aarch64']) {
      expect(readFileSync(join(prebuilt, arch, 'heart'))).toEqual(
        readFileSync(join(checkout, arch, 'heart')),
      );
      expect(statSync(join(prebuilt, arch, 'heart')).mode & 0o777).toBe(0o755);
    }
  });
});

describe('the installed package', () => {
  // Promise 7. --ignore-scripts above is the proof for "compiles nothing": all that follows works without.
  test('is small', async () => {
    const lock = JSON.parse(readFileSync(join(project, 'package-lock.json'), 'utf8')) as {
      packages: Record<string, { optional?: boolean }>;
    };
    const needed = Object.entries(lock.packages).filter(([path, { optional }]) => path !== '' && !optional);
    expect(needed.map(([path]) => path).sort()).toEqual(
      ['commander', 'esbuild', 'hearthfw', 'modern-tar', 'xz-decompress', 'zod'].map(
        (name) => `node_modules/${name}`,
      ),
    );
    const { stdout } = await run('du', ['-sb', join(project, 'node_modules')]);
    expect(Number.parseInt(stdout, 10)).toBeLessThan(30e6);
  });

  test('is typed, and can be imported, by an app on a laptop', async () => {
    const source =
      "import { config, run } from 'hearthfw';\nconst port: number = config<{ port: number }>().port;\n";
    writeFileSync(join(project, 'typed.ts'), `${source}run(() => console.log(port));\n`);
    writeFileSync(join(project, 'wrong.ts'), `${source.replace('const port: number', 'const port: string')}`);
    const tsc = join(REPOSITORY, 'node_modules', 'typescript', 'bin', 'tsc');
    const flags = [
      '--noEmit',
      '--ignoreConfig',
      '--skipLibCheck',
      'false',
      '--strict',
      '--module',
      'nodenext',
      '--types',
      'node',
      '--typeRoots',
    ];
    const check = (file: string): Promise<unknown> =>
      run(process.execPath, [tsc, ...flags, join(REPOSITORY, 'node_modules', '@types'), file], {
        cwd: project,
      });
    await check('typed.ts');
    await check('fw.config.ts');
    await expect(check('wrong.ts')).rejects.toMatchObject({
      stdout: expect.stringContaining('wrong.ts(2,7)'),
    });
    const names = "import('hearthfw').then((all) => console.log(Object.keys(all).includes('run')))";
    expect((await run(process.execPath, ['-e', names], { cwd: project })).stdout.trim()).toBe('true');
  });

  // B2, and "macOS by construction": about a minute, because nothing but the downloads is there.
  test('builds the same bytes on a machine that has nothing but Node, from an empty cache', {
    timeout: 600_000,
  }, async () => {
    const build = (name: string, options: FwOptions): Promise<BuildResult> =>
      fwJson<BuildResult>(['build', '--target', 'x86_64', '--out', name], {
        cwd: project,
        door: door(),
        ...options,
      });
    const usual = await build('usual.fw', {});
    const cache = join(dir, 'cache');
    cpSync(join(CACHE, 'downloads'), join(cache, 'downloads'), { recursive: true });
    const { env, within } = bareMachine({ write: [dir] });
    const anew = await build('anew.fw', { env: { ...env, HEARTH_CACHE: cache }, within });

    expect(anew.cached).toMatchObject({ system: false, files: { hits: 0 } });
    expect(anew.uuid).toBe(usual.uuid);
    const sha256 = (name: string): string =>
      createHash('sha256')
        .update(readFileSync(join(project, name)))
        .digest('hex');
    expect(sha256('anew.fw')).toBe(sha256('usual.fw'));
  });

  test('makes a release that runs, and says what it was built for', async () => {
    const config = join(project, 'fw.config.ts');
    const text = readFileSync(config, 'utf8');
    const free = text.replace('port: 8080', 'port: 0');
    writeFileSync(config, free);
    const made = await fw(['release', '--out', 'packed'], { cwd: project, door: door() });
    expect(made).toMatchObject({ code: 0, stderr: expect.stringContaining('a development release') });
    const [folder = ''] = /(?<=^folder ).*$/m.exec(made.stdout) ?? [];
    const control = (...args: string[]) =>
      run(join(folder, 'bin', 'hello'), args, { env: { PATH: process.env.PATH } });
    expect((await control('eval', 'process.env.FW_ENV')).stdout).toBe('dev\n');
    onTestFinished(async () => void (await control('stop')));
    await control('start');
    expect((await control('pid')).stdout).toMatch(/^\d+\n$/);

    writeFileSync(config, free.replace('dev: true', 'dev: false').replace("console: 'shell',", ''));
    const prod = await fw(['release', '--out', 'prod'], { cwd: project, door: door() });
    writeFileSync(config, text);
    expect(prod).toMatchObject({ code: 0, stderr: expect.not.stringContaining('development') });
    const [bundle = ''] = /(?<=^folder ).*$/m.exec(prod.stdout) ?? [];
    expect(JSON.parse(readFileSync(join(bundle, 'lib', 'release.json'), 'utf8'))).toMatchObject({
      env: 'prod',
    });
  });
});
