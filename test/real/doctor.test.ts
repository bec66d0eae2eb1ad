import { once } from 'node:events';
import {
  chmodSync,
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { generateKey } from '../../src/archive/index.ts';
import type { Finding } from '../../src/host/doctor/finding.ts';
import { run } from './disk-file.ts';
import { CACHE, copyHello, type FwOptions, fw } from './fw.ts';
import { onTerminal } from './terminal.ts';

/** fw doctor on machines that lack something. */
let dir: string;
let app: string;
let home: string;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'hearth-doctor-'));
  app = await copyHello(join(dir, 'project'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));
beforeEach(() => {
  home = mkdtempSync(join(dir, 'home-'));
});

interface Examined {
  code: number | null;
  ok: boolean;
  findings: Finding[];
}

async function doctor(args: string[] = [], { env, ...options }: FwOptions = {}): Promise<Examined> {
  const all = ['doctor', '--app', app, '--json', ...args];
  const { code, stdout, stderr } = await fw(all, { ...options, env: { HOME: home, ...env } });
  expect(stderr).toBe('');
  return { code, ...(JSON.parse(stdout) as Omit<Examined, 'code'>) };
}
const of = ({ findings }: Examined, check: string): Finding[] =>
  findings.filter((one) => one.check === check);

/** A folder for PATH with these programs of this machine. */
function pathWith(...programs: string[]): string {
  const folder = mkdtempSync(join(dir, 'path-'));
  for (const name of programs) {
    const found = (process.env.PATH ?? '')
      .split(':')
      .map((at) => join(at, name))
      .find((path) => existsSync(path));
    if (!found) throw new Error(`the test needs ${name}`);
    symlinkSync(found, join(folder, name));
  }
  return folder;
}

test('on a machine that can do everything, nothing is a problem', async () => {
  const examined = await doctor();
  expect(examined.findings.filter(({ level }) => level === 'problem')).toEqual([]);
  expect(examined).toMatchObject({ code: 0, ok: true });
  // Of the targets of the project, and for both architectures.
  expect(of(examined, 'QEMU').map(({ text }) => text.replace(/^\d+\.\d+/, 'N'))).toEqual([
    'N for x86_64',
    'N for aarch64',
  ]);
  expect(of(examined, 'UEFI firmware')).toHaveLength(2);
  expect(examined.findings.filter(({ check }) => check.endsWith(' system'))).toHaveLength(3);
});

test('without QEMU fw run is stopped, fw build is not, and the commands are told', async () => {
  const examined = await doctor([], { env: { PATH: pathWith('node', 'npm') } });
  expect(examined).toMatchObject({ code: 0, ok: true });
  expect(of(examined, 'QEMU')).toEqual([
    expect.objectContaining({
      level: 'problem',
      stops: 'fw run',
      remedy: expect.stringContaining('qemu-system-x86'),
    }),
    expect.objectContaining({
      level: 'problem',
      stops: 'fw run',
      remedy: expect.stringContaining('qemu-system-arm'),
    }),
  ]);
  expect(of(examined, 'ssh')).toMatchObject([
    { level: 'note', remedy: expect.stringContaining('openssh-client') },
  ]);
  expect(of(examined, 'acceleration')).toEqual([]);
});

test('an old QEMU is told by its version', async () => {
  const path = pathWith('node', 'npm');
  writeFileSync(join(path, 'qemu-system-x86_64'), '#!/bin/sh\necho QEMU emulator version 7.2.0\n');
  chmodSync(join(path, 'qemu-system-x86_64'), 0o755);
  const [x86] = of(await doctor([], { env: { PATH: path } }), 'QEMU');
  expect(x86).toMatchObject({
    level: 'problem',
    stops: 'fw run',
    text: expect.stringContaining('version 7.2'),
  });
});

describe('the project', () => {
  test('without its private key cannot be built', async () => {
    const own = await copyHello(join(dir, 'keyless'));
    const config = join(own, 'fw.config.ts');
    const text = readFileSync(config, 'utf8')
      .replace(/updateKeys: \[[^\]]*\]/, `updateKeys: [${JSON.stringify(generateKey('theirs').publicKey)}]`)
      .replace(/signingKey: .*/, '');
    writeFileSync(config, text);
    const examined = await doctor(['--app', own]);
    expect(examined).toMatchObject({ code: 1, ok: false });
    expect(of(examined, 'signing key')).toMatchObject([
      { level: 'problem', stops: 'fw build', remedy: expect.stringContaining('fw key') },
    ]);
  });

  test('with a mistake in its configuration is told where', async () => {
    const own = await copyHello(join(dir, 'mistaken'));
    const config = join(own, 'fw.config.ts');
    writeFileSync(config, readFileSync(config, 'utf8').replace('version:', 'versoin:'));
    const examined = await doctor(['--app', own]);
    expect(examined).toMatchObject({ code: 1, ok: false });
    expect(of(examined, 'project')).toMatchObject([
      { level: 'problem', text: expect.stringContaining('versoin') },
    ]);
  });

  test('may be missing: then the machine is looked at for all targets', async () => {
    const { code, stdout } = await fw(['doctor', '--json'], { cwd: home });
    expect(code).toBe(0);
    expect(JSON.parse(stdout).findings).toContainEqual(
      expect.objectContaining({ check: 'project', level: 'note', remedy: expect.stringContaining('fw new') }),
    );
  });

  test('keys that others can read are told with the command that closes them', async () => {
    const keys = join(home, 'keys');
    mkdirSync(keys);
    writeFileSync(join(keys, 'open'), generateKey('mine').privateKey, { mode: 0o644 });
    expect(of(await doctor([], { env: { HEARTH_KEYS: keys } }), 'key files')).toMatchObject([
      { level: 'note', remedy: `chmod 600 ${join(keys, 'open')}` },
    ]);
  });
});

describe('an empty cache', () => {
  test('that may be filled is no problem; offline it is one', async () => {
    const env = {
      HEARTH_CACHE: join(home, 'none'),
      HEARTH_DEBIAN_MIRROR: 'http://127.0.0.1:9/debian',
      // fw itself would keep there what Node has compiled of it.
      NODE_DISABLE_COMPILE_CACHE: '1',
    };
    expect(of(await doctor([], { env }), 'x86_64 system')).toMatchObject([
      { level: 'ok', text: expect.stringContaining('MB from Debian') },
    ]);
    const offline = await doctor([], { env: { ...env, HEARTH_OFFLINE: '1' } });
    expect(offline.code).toBe(1);
    expect(of(offline, 'x86_64 system')).toMatchObject([{ level: 'problem', stops: 'fw build' }]);
    // Nothing was made, downloaded or left.
    expect(readdirSync(home)).toEqual([]);
  });

  test('--online asks the mirror and the registry; dead ones stop the build', async () => {
    const dead = `http://127.0.0.1:${await closedPort()}`;
    const env = {
      HEARTH_CACHE: join(home, 'none'),
      HEARTH_DEBIAN_MIRROR: `${dead}/debian`,
      npm_config_registry: dead,
      npm_config_cache: join(dir, 'npm'),
    };
    const examined = await doctor(['--online'], { env });
    expect(examined.code).toBe(1);
    const refused = { level: 'problem', stops: 'fw build', text: expect.stringContaining('ECONNREFUSED') };
    expect(of(examined, 'x86_64 system')).toMatchObject([refused]);
    expect(of(examined, 'npm')).toMatchObject([refused]);
  });

  test('npm is the one beside the Node that fw runs on, as in a build; PATH needs none', async () => {
    const node = join(home, 'bin', 'node');
    const cli = join(home, 'lib', 'node_modules', 'npm', 'bin', 'npm-cli.js');
    for (const path of [node, cli]) mkdirSync(dirname(path), { recursive: true });
    try {
      linkSync(process.execPath, node);
    } catch {
      copyFileSync(process.execPath, node);
    }
    writeFileSync(cli, "console.log('99.0.0');");
    const within = ['sh', '-c', `exec '${node}' "$@"`];
    const examined = await doctor([], { env: { PATH: `${pathWith('sh')}` }, within });
    expect(of(examined, 'npm')).toMatchObject([{ level: 'ok', text: '99.0.0' }]);
  });

  /** A port on which nobody listens any more. */
  async function closedPort(): Promise<number> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    server.close();
    await once(server, 'close');
    return port;
  }
});

describe('a disk', () => {
  // A mount namespace of the test's own: needs no root where namespaces are allowed.
  const possible = run('unshare', '--map-root-user', '--mount', 'true').status === 0;
  const mounted = (mount: string): string[] => [
    ...['unshare', '--map-root-user', '--mount', 'sh', '-c'],
    `${mount} && exec "$0" "$@"`,
  ];

  test.skipIf(!possible)('that is read-only and has the cache is told, also to root', async () => {
    const cache = join(home, 'cache');
    mkdirSync(cache);
    const within = mounted(`mount --bind '${cache}' '${cache}' && mount -o remount,bind,ro '${cache}'`);
    const examined = await doctor([], { within, env: { HEARTH_CACHE: cache } });
    expect(examined.code).toBe(1);
    expect(of(examined, 'cache')).toEqual([
      {
        check: 'cache',
        level: 'problem',
        stops: 'fw build',
        text: `${cache} cannot be written (EROFS)`,
        remedy: expect.stringContaining('HEARTH_CACHE'),
      },
    ]);
  });

  test.skipIf(!possible)('that is nearly full is told by the folder that is on it', async () => {
    const cache = join(home, 'cache');
    mkdirSync(cache);
    const within = mounted(`mount -t tmpfs -o size=20m none '${cache}'`);
    const examined = await doctor([], { within, env: { HEARTH_CACHE: cache } });
    expect(examined.code).toBe(1);
    const [atCache, atProject] = of(examined, 'disk space');
    expect(atCache).toMatchObject({
      level: 'problem',
      stops: 'fw build',
      text: expect.stringMatching(`^2[01] MB are free for ${cache};`),
    });
    expect(atProject?.level).not.toBe('problem');
  });
});

test('nothing is changed: not a file, not a time', async () => {
  const cache = join(home, 'cache');
  mkdirSync(cache);
  for (const kind of ['systems', 'files']) run('cp', '-r', '--preserve=timestamps', join(CACHE, kind), cache);
  run('find', cache, '-exec', 'touch', '-d', '2 days ago', '{}', '+');
  const picture = (): string[] =>
    [cache, dirname(app)].flatMap((folder) =>
      readdirSync(folder, { recursive: true }).map((name) => {
        const { size, mtimeMs, ino } = statSync(join(folder, String(name)));
        return `${name} ${size} ${mtimeMs} ${ino}`;
      }),
    );
  const before = picture();
  await doctor([], { env: { HEARTH_CACHE: cache, NODE_DISABLE_COMPILE_CACHE: '1' } });
  expect(picture()).toEqual(before);
});

test('a terminal of 80 columns holds every line; NO_COLOR takes the colours, not the signs', async () => {
  const at = async (env: Record<string, string>): Promise<string> => {
    const terminal = onTerminal(`$FW doctor --app ${app}`, {
      env: { HOME: home, LC_ALL: 'C.UTF-8', PATH: pathWith('node', 'npm', 'script', 'sh', 'stty'), ...env },
    });
    await once(terminal.child, 'close');
    return terminal.raw();
  };
  const coloured = await at({});
  expect(coloured).toContain('\x1b[31m✗\x1b[39m QEMU');
  const plain = await at({ NO_COLOR: '1' });
  expect(plain).toBe(stripVTControlCharacters(coloured));
  expect(plain.split('\r\n').filter((line) => line.length > 80)).toEqual([]);
  expect(plain).toMatch(/fw build can work; \d problems stop fw run\.\s*$/);
  expect(stripVTControlCharacters(await at({ LC_ALL: 'C' }))).toMatch(/^[\r\n\x20-\x7e]*$/);
});
