import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { createKey } from '../keys/store.ts';
import { loadProject } from '../load.ts';
import { createProject, type Home } from './create.ts';

let dir: string;
let home: Home;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'hearth-new-'));
  home = { keyFolder: join(dir, 'keys'), sshFolder: join(dir, '.ssh'), agentSocket: undefined };
});
afterEach(() => rmSync(dir, { recursive: true }));

const make = (options: { dir: string; name?: string; key?: string }, targets = ['x86_64']) =>
  createProject({ targets, ...options }, home);
const error = (code: string, rest: object = {}) => expect.objectContaining({ code, ...rest });

test('a project can be loaded, trusts a new key of its name, and lets the user in', async () => {
  const { publicKey } = createKey('id_ed25519.of_me', join(dir, 'other'));
  mkdirSync(home.sshFolder);
  writeFileSync(join(home.sshFolder, 'id.pub'), publicKey.line);
  const made = await make({ dir: join(dir, 'a', 'b', 'sensor') }, ['rpi3', 'x86_64']);
  expect(made).toMatchObject({ name: 'sensor', keyIsNew: true, key: { name: 'sensor' } });
  const { config } = await loadProject(made.dir);
  expect(config).toMatchObject({
    name: 'sensor',
    targets: ['rpi3', 'x86_64'],
    updateKeys: [made.key.publicKey.line],
    sshKeys: [publicKey.line],
    dev: false,
  });
  expect(readdirSync(join(dir, 'a', 'b'))).toEqual(['sensor']);
});

test('it goes into a folder that is there too, beside its repository', async () => {
  const there = join(dir, 'sensor');
  mkdirSync(join(there, '.git'), { recursive: true });
  const { files } = await make({ dir: there });
  const top = new Set(files.map((path) => path.split('/', 1)[0]));
  expect(readdirSync(there).sort()).toEqual([...top, '.git'].sort());
});

describe('a key of that name', () => {
  test('is not taken unasked', async () => {
    createKey('sensor', home.keyFolder);
    await expect(make({ dir: join(dir, 'sensor') })).rejects.toEqual(
      error('key-exists', { remedy: expect.stringContaining('--key sensor') }),
    );
    expect(readdirSync(dir)).toEqual(['keys']);
  });

  test('is taken when asked for', async () => {
    const key = createKey('mine', home.keyFolder);
    const made = await make({ dir: join(dir, 'sensor'), key: 'mine' });
    expect(made).toMatchObject({ key, keyIsNew: false });
    expect((await loadProject(made.dir)).config.updateKeys).toEqual([key.publicKey.line]);
    expect(readdirSync(home.keyFolder)).toEqual(['mine', 'mine.pub']);
  });

  test('is refused when there is none, or when others can read it', async () => {
    const { path } = createKey('mine', home.keyFolder);
    await expect(make({ dir: join(dir, 'sensor'), key: 'mien' })).rejects.toEqual(
      error('no-such-key', { remedy: "Did you mean 'mine'?" }),
    );
    chmodSync(path, 0o644);
    await expect(make({ dir: join(dir, 'sensor'), key: 'mine' })).rejects.toEqual(error('key-too-open'));
    expect(existsSync(join(dir, 'sensor'))).toBe(false);
  });
});

describe('what fails leaves nothing: no folder, no key', () => {
  test('in a place that cannot be written', async () => {
    // Not even root may make a folder there.
    await expect(make({ dir: '/sys/sensor' })).rejects.toEqual(
      error('not-writable', { where: '/sys/sensor' }),
    );
    expect(readdirSync(home.keyFolder)).toEqual([]);
    writeFileSync(join(dir, 'file'), '');
    await expect(make({ dir: join(dir, 'file', 'sensor') })).rejects.toEqual(error('not-writable'));
  });

  test('in a place that cannot even be looked at', async () => {
    symlinkSync('loop', join(dir, 'loop'));
    const place = join(dir, 'loop', 'sensor');
    await expect(make({ dir: place })).rejects.toEqual(error('not-writable', { where: place }));
    expect(existsSync(home.keyFolder)).toBe(false);
  });

  test('with keys that cannot be written', async () => {
    writeFileSync(join(dir, 'file'), '');
    home.keyFolder = join(dir, 'file', 'keys');
    await expect(make({ dir: join(dir, 'a', 'sensor') })).rejects.toEqual(error('keys-unreadable'));
    expect(readdirSync(dir)).toEqual(['file']);
  });

  test('in a folder that has something', async () => {
    mkdirSync(join(dir, 'sensor'));
    writeFileSync(join(dir, 'sensor', 'package.json'), '{}');
    await expect(make({ dir: join(dir, 'sensor') })).rejects.toEqual(error('folder-not-empty'));
    expect(readFileSync(join(dir, 'sensor', 'package.json'), 'utf8')).toBe('{}');
    expect(existsSync(home.keyFolder)).toBe(false);
  });
});
