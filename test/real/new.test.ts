import { execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { BuildResult } from '../../src/build/firmware.ts';
import { CACHE, fw, fwJson, type Outcome } from './fw.ts';

const REPOSITORY = join(import.meta.dirname, '..', '..');

interface Made {
  dir: string;
  files: string[];
  key: { name: string; path: string; publicKey: string };
  sshKeys: { line: string; from: string }[];
}

/** A new project as its author has it: made by fw new, with the packages that npm install would bring. */
let dir: string;
let env: Record<string, string>;
let project: string;
let made: Made;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'hearth-new-'));
  env = { HOME: join(dir, 'home'), HEARTH_KEYS: join(dir, 'keys') };
  mkdirSync(join(dir, 'home', '.ssh'), { recursive: true });
  const id = join(dir, 'home', '.ssh', 'id_ed25519');
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', "Jane's desk", '-f', id]);
  made = await fwJson<Made>(['new', 'sensor', '--hearthfw', '1.2.3'], { cwd: dir, env });
  project = made.dir;
  installPackages(join(project, 'node_modules'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** What package.json asks for, from this checkout: no network. */
function installPackages(modules: string): void {
  const bin = join(modules, '.bin');
  mkdirSync(bin, { recursive: true });
  const link = (target: string, path: string): void => {
    mkdirSync(dirname(join(modules, path)), { recursive: true });
    symlinkSync(join(REPOSITORY, target), join(modules, path));
  };
  for (const name of ['@biomejs', '@types', 'tsx', 'typescript']) link(`node_modules/${name}`, name);
  for (const name of ['biome', 'tsc']) link(`node_modules/.bin/${name}`, `.bin/${name}`);
  link('bin/fw.js', '.bin/fw');
  link('src', 'hearthfw/src');
  const exports = { '.': './src/otp/index.ts', './config': './src/project/define.ts' };
  writeFileSync(join(modules, 'hearthfw', 'package.json'), JSON.stringify({ name: 'hearthfw', exports }));
}

/** Only this Node, npm, and what a shell has. */
const npmEnv = () => ({
  ...env,
  PATH: `${dirname(process.execPath)}${delimiter}${process.env.PATH}`,
  HEARTH_CACHE: CACHE,
  npm_config_update_notifier: 'false',
});

function npm(...args: string[]): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = execFile('npm', args, { cwd: project, env: npmEnv() }, (_error, stdout, stderr) =>
      resolve({ code: child.exitCode, signal: child.signalCode, stdout, stderr }),
    );
  });
}

async function expectOk(outcome: Promise<Outcome>): Promise<void> {
  const { code, stdout, stderr } = await outcome;
  expect(code, stdout + stderr).toBe(0);
}

/** Runs something while a file of the project is another. */
async function whileChanged(
  path: string,
  change: (text: string) => string,
  run: () => Promise<void>,
): Promise<void> {
  const file = join(project, path);
  const text = readFileSync(file, 'utf8');
  const other = change(text);
  expect(other).not.toBe(text);
  writeFileSync(file, other);
  await run().finally(() => writeFileSync(file, text));
}

describe('as it is generated', () => {
  test('it type-checks, lints and is formatted; and mistakes of each kind are found', async () => {
    await expectOk(npm('run', 'check'));
    const wrong = (text: string) => async () => {
      const { code, stdout, stderr } = await npm('run', 'check');
      expect(code).not.toBe(0);
      expect(stdout + stderr).toContain(text);
    };
    await whileChanged('src/app.ts', (text) => `${text}export const port: number = 'x';\n`, wrong('TS2322'));
    await whileChanged('src/server.ts', (text) => `${text}debugger;\n`, wrong('noDebugger'));
    await whileChanged('fw.config.ts', (text) => text.replace('  name:', 'name:'), wrong('format'));
    await expectOk(npm('run', 'format'));
    expect(await npm('run', 'format')).toMatchObject({ stdout: expect.stringContaining('No fixes applied') });
  });

  test('its tests pass, and fail when the app is wrong', async () => {
    await expectOk(npm('test'));
    await whileChanged(
      'src/server.ts',
      (text) => text.replace('ok: true', 'ok: false'),
      async () => expect((await npm('test')).code).not.toBe(0),
    );
  });

  test('it serves on this machine until it is interrupted', async () => {
    const settings = join(dir, 'settings.json');
    writeFileSync(settings, '{ "port": 0, "greeting": "Good evening" }');
    const child = spawn('npm', ['start'], {
      cwd: project,
      env: { ...npmEnv(), HEARTH_APP_CONFIG: settings },
      stdio: ['ignore', 'ignore', 'pipe'],
      detached: true,
    });
    const ended = once(child, 'exit');
    try {
      let port: string | undefined;
      for await (const line of createInterface(child.stderr)) {
        port = /serving port=(\d+)/.exec(line)?.[1];
        if (port) break;
      }
      const page = await fetch(`http://127.0.0.1:${port}/`);
      expect(await page.text()).toMatch(/^Good evening from /);
      // As Ctrl-C does: the whole process group.
      process.kill(-Number(child.pid), 'SIGINT');
      await ended;
    } finally {
      if (child.exitCode === null && child.signalCode === null) process.kill(-Number(child.pid), 'SIGKILL');
    }
  });

  test('git would take its files, and neither what is built nor a key that strays in', async () => {
    execFileSync('git', ['init', '-q', project]);
    mkdirSync(join(project, '.hearth'));
    for (const path of ['a.fw', 'sensor.key', 'disk.img', '.hearth/run'])
      writeFileSync(join(project, path), '');
    const listed = execFileSync('git', ['ls-files', '--others', '--exclude-standard'], {
      cwd: project,
      encoding: 'utf8',
    });
    expect(listed.trim().split('\n').sort()).toEqual(made.files);
    for (const path of ['a.fw', 'sensor.key', 'disk.img', '.hearth', '.git'])
      rmSync(join(project, path), { recursive: true });
  });

  test('its README names nothing that is not there', async () => {
    const readme = readFileSync(join(project, 'README.md'), 'utf8');
    const { scripts } = JSON.parse(readFileSync(join(project, 'package.json'), 'utf8')) as {
      scripts: object;
    };
    const help = await fwJson<{ verbs: { name: string; verbs: { name: string }[] }[] }>(['--help']);
    const verbs = help.verbs.flatMap(({ name, verbs: below }) => [
      name,
      ...below.map((one) => `${name} ${one.name}`),
    ]);
    const runs = [...readme.matchAll(/npm (?:run )?([a-z]+)/g)].map(([, name]) => name);
    expect(runs.filter((name) => name !== 'install').length).toBeGreaterThan(3);
    for (const name of runs) expect(['install', ...Object.keys(scripts)]).toContain(name);
    const commands = [...readme.matchAll(/npx fw ((?:key )?[a-z]+)/g)].map(([, name]) => name);
    expect(commands.length).toBeGreaterThan(4);
    for (const name of commands) expect(verbs).toContain(name);
    for (const [, path] of readme.matchAll(/`((?:src|fw)[\w/.]+\.ts)`/g))
      expect(existsSync(join(project, String(path))), path).toBe(true);
  });
});

describe('its signing key', () => {
  const build = (more: Record<string, string> = {}): Promise<BuildResult> =>
    fwJson<BuildResult>(['build', '--app', project], { env: { ...env, ...more } });

  test('lies outside, for its owner alone, and its public half inside', async () => {
    expect(made.key.path).toBe(join(dir, 'keys', 'sensor'));
    expect([statSync(join(dir, 'keys')).mode & 0o777, statSync(made.key.path).mode & 0o777]).toEqual([
      0o700, 0o600,
    ]);
    const ours = execFileSync('ssh-keygen', ['-y', '-f', made.key.path], { encoding: 'utf8' }).trim();
    expect(made.key.publicKey).toBe(ours);
    const texts = made.files.map((path) => readFileSync(join(project, path), 'utf8'));
    expect(texts.filter((text) => text.includes(ours))).toHaveLength(1);
    const secret = readFileSync(made.key.path, 'utf8').split('\n').slice(-4, -2);
    for (const line of [...secret, 'PRIVATE KEY']) expect(texts.join('')).not.toContain(line);
  });

  test('signs it; without it the build says what to do, and as a CI secret it gives the same firmware', async () => {
    await expectOk(npm('run', 'build'));
    const file = join(project, 'sensor-0.1.0-x86_64.fw');
    expect(existsSync(file)).toBe(true);
    const { uuid, sha256, ...here } = await build();
    expect(here).toMatchObject({ path: file, product: 'sensor', dev: false, exampleKey: false });

    const elsewhere = { HEARTH_KEYS: join(dir, 'nowhere') };
    const { code, stderr } = await fw(['build', '--app', project], { env: { ...env, ...elsewhere } });
    expect(code).toBe(1);
    const { fingerprint } = await fwJson<{ fingerprint: string }>(['key', 'show', 'sensor'], { env });
    for (const text of [
      '(no-signing-key)',
      `sensor ${fingerprint}`,
      'fw key import sensor',
      'HEARTH_SIGNING_KEY',
      join(dir, 'nowhere'),
    ])
      expect(stderr).toContain(text);

    const secret = (await fw(['key', 'export', 'sensor'], { env })).stdout;
    expect(await build({ ...elsewhere, HEARTH_SIGNING_KEY: secret })).toMatchObject({ uuid, sha256 });

    chmodSync(made.key.path, 0o644);
    const open = await fw(['build', '--app', project], { env });
    chmodSync(made.key.path, 0o600);
    expect([open.code, open.stderr]).toEqual([1, expect.stringContaining(`chmod 600 ${made.key.path}`)]);
  });
});

test('the SSH keys of its author may log in', async () => {
  const line = readFileSync(join(dir, 'home', '.ssh', 'id_ed25519.pub'), 'utf8').trim();
  expect(made.sshKeys).toEqual([{ line, from: join(dir, 'home', '.ssh', 'id_ed25519.pub') }]);
  expect(readFileSync(join(project, 'fw.config.ts'), 'utf8')).toContain(`"${line}"`);
});

describe('fw new', () => {
  test('says what it made, that the key must be backed up, and what to do next, in this order', async () => {
    const cwd = join(dir, 'gateway');
    mkdirSync(cwd);
    const { code, stdout, stderr } = await fw(['new', '.', '-t', 'rpi3', '-t', 'x86_64'], { cwd, env });
    expect([code, stderr]).toEqual([0, '']);
    const words = [
      'Made gateway for rpi3, x86_64',
      join(dir, 'keys', 'gateway'),
      'Back it up',
      "Jane's desk",
      'npm install',
      'npx fw build',
      'npx fw run',
    ];
    const places = words.map((word) => stdout.indexOf(word));
    expect(places, stdout).toEqual(places.filter((place) => place >= 0).sort((a, b) => a - b));
    for (const line of stdout.split('\n')) expect(line.replaceAll(dir, '').length).toBeLessThanOrEqual(80);
    expect(readdirSync(cwd).sort()).toEqual(
      readdirSync(project)
        .filter((name) => !/node_modules|\.fw|package-lock/.test(name))
        .sort(),
    );
  });

  test('leaves nothing behind when the disk takes only some of it: no folder, and no key', async () => {
    // Files of more than 1024 bytes fail: the key is written before, and some of the template.
    const within = ['sh', '-c', 'ulimit -f 2 && exec "$0" "$@"'];
    const before = [readdirSync(dir), readdirSync(join(dir, 'keys'))];
    const empty = join(dir, 'home', 'empty');
    mkdirSync(empty);
    for (const where of [join(dir, 'a', 'b', 'limited'), empty]) {
      const told = await fw(['new', where, '--json'], { cwd: dir, env, within });
      expect(JSON.parse(told.stdout).error).toMatchObject({ code: 'not-writable', where });
    }
    expect([readdirSync(dir), readdirSync(join(dir, 'keys'))]).toEqual(before);
    expect(readdirSync(empty)).toEqual([]);
  });

  test.each<[name: string, args: string[], code: string, remedy: string]>([
    ['a folder with something in it', ['sensor'], 'folder-not-empty', 'another name'],
    ['a key of that name', ['other/sensor'], 'key-exists', '--key sensor'],
    ['a name that is none', ['My App'], 'bad-project-name', '--name my-app'],
    ['a board that there is not', ['new', '--target', 'rpi33'], 'unknown-target', "'rpi3'"],
    ['a key that there is not', ['new', '--key', 'senser'], 'no-such-key', "'sensor'"],
  ])('refuses %s, and leaves nothing behind', async (_name, args, code, remedy) => {
    const before = [readdirSync(dir), readdirSync(join(dir, 'keys'))];
    const told = await fw(['new', ...args, '--json'], { cwd: dir, env });
    expect([told.code, told.stderr]).toEqual([1, '']);
    expect(JSON.parse(told.stdout).error).toMatchObject({ code, remedy: expect.stringContaining(remedy) });
    expect([readdirSync(dir), readdirSync(join(dir, 'keys'))]).toEqual(before);
  });
});
