import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  closeSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { generateKey, parsePublicKey } from '../../src/archive/index.ts';
import type { BuildResult } from '../../src/build/firmware.ts';
import { seededRandom } from '../../src/build/test-random.ts';
import { run } from './disk-file.ts';
import { CACHE, copyHello, fw, fwJson, outcome, startFw } from './fw.ts';

/** What goes wrong around a build: signals, full disks, two builds at once, damaged caches, wrong usage. */
let dir: string;
let app: string;
let reference: BuildResult;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'hearth-faults-'));
  app = await copyHello(join(dir, 'project'));
  reference = await fwJson<BuildResult>(['build', '--app', app, '--out', join(dir, 'reference.fw')]);
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const sha256 = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex');

function emptyFolder(name: string): string {
  const path = join(dir, name);
  rmSync(path, { recursive: true, force: true });
  mkdirSync(path);
  return path;
}

/** A cache that shares these kinds with the developer's own, and has the others to itself. */
function cacheWith(name: string, ...shared: string[]): string {
  const cache = emptyFolder(name);
  for (const kind of shared) symlinkSync(join(CACHE, kind), join(cache, kind));
  return cache;
}

describe('signals', () => {
  let agent: Server;
  let socket: string;
  /** Resolves when somebody wants a signature, which this agent never gives: the build is then in its output file. */
  let asked: PromiseWithResolvers<void>;
  let waiting: string;
  beforeAll(async () => {
    waiting = await copyHello(join(dir, 'waiting'));
    const { publicKey } = generateKey('agent');
    const config = join(waiting, 'fw.config.ts');
    const text = readFileSync(config, 'utf8');
    writeFileSync(
      config,
      text
        .replace(/updateKeys: \[[^\]]*\]/, `updateKeys: [${JSON.stringify(publicKey)}]`)
        .replace(/signingKey: .*/, ''),
    );
    const { blob } = parsePublicKey(publicKey);
    const string = (bytes: Uint8Array): Buffer => Buffer.concat([uint32(bytes.length), bytes]);
    // draft-ietf-sshm-ssh-agent: 11 asks for the keys, 12 answers; 13 asks for a signature.
    const keys = string(
      Buffer.concat([Buffer.from([12]), uint32(1), string(blob), string(Buffer.from('agent'))]),
    );
    socket = join(dir, 'agent');
    asked = Promise.withResolvers();
    agent = createServer((connection) => {
      connection.on('error', () => {});
      connection.on('data', (bytes) => {
        if (bytes[4] === 11) connection.write(keys);
        else asked.resolve();
      });
    });
    agent.listen(socket);
    await once(agent, 'listening');
  });
  afterAll(() => {
    agent.close();
  });
  const uint32 = (value: number): Buffer => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32BE(value);
    return bytes;
  };

  async function interrupted(signal: NodeJS.Signals): Promise<string[]> {
    const out = emptyFolder('out');
    asked = Promise.withResolvers();
    const child = startFw(['build', '--app', waiting, '--out', join(out, 'hello.fw')], {
      env: { SSH_AUTH_SOCK: socket, HEARTH_KEYS: join(dir, 'no-keys') },
    });
    const ended = outcome(child);
    await asked.promise;
    expect(readdirSync(out)).toEqual([expect.stringMatching(/^hello\.fw\.part-/)]);
    child.kill(signal);
    expect(await ended).toMatchObject({ code: null, signal });
    return readdirSync(out);
  }

  test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)(
    'B5: %s in the middle of the output leaves nothing',
    async (signal) => {
      expect(await interrupted(signal)).toEqual([]);
    },
  );

  test('B5: SIGKILL leaves a part, but no firmware that is not whole', async () => {
    expect(await interrupted('SIGKILL')).toEqual([expect.stringMatching(/^hello\.fw\.part-/)]);
  });
});

test('B5: builds killed at any moment leave a cache that the next build uses', {
  timeout: 300_000,
}, async () => {
  const random = seededRandom('build, killed');
  // Everything that a firmware's payloads are cut into has to be made anew: the cache is being written all the time.
  const env = { HEARTH_CACHE: cacheWith('killed', 'downloads', 'systems', 'files', 'blocks') };
  const out = join(emptyFolder('out'), 'hello.fw');
  const args = ['build', '--app', app, '--out', out];
  const whole = performance.now();
  await fwJson(args, { env });
  const duration = performance.now() - whole;
  for (let round = 0; round < 5; round++) {
    rmSync(join(env.HEARTH_CACHE, 'chunks'), { recursive: true, force: true });
    const child = startFw(args, { env });
    const ended = outcome(child);
    const wait = delay(random() * duration);
    await Promise.race([wait, ended]);
    child.kill('SIGKILL');
    await ended;
    const built = await fwJson<BuildResult>(args, { env });
    expect(sha256(built.path), `round ${round}`).toBe(reference.sha256);
  }
});

test('two builds of one project at once both succeed, with equal bytes', async () => {
  const out = join(emptyFolder('out'), 'hello.fw');
  const env = { HEARTH_CACHE: cacheWith('both', 'downloads', 'systems', 'files', 'blocks') };
  const both = await Promise.all(
    [1, 2].map(() => fwJson<BuildResult>(['build', '--app', app, '--out', out], { env })),
  );
  expect(both.map((result) => result.sha256)).toEqual([reference.sha256, reference.sha256]);
  expect(sha256(out)).toBe(reference.sha256);
  expect(readdirSync(join(dir, 'out')).sort()).toEqual(['hello.fw', 'hello.fw.map']);
});

describe('B5: a file of the system that is damaged in the cache', () => {
  test.each([
    ['is torn', (path: string) => truncateSync(path, 1000)],
    [
      'has a flipped bit',
      (path: string) => {
        const bytes = readFileSync(path);
        bytes.writeUInt8(bytes.readUInt8(5000) ^ 1, 5000);
        writeFileSync(path, bytes);
      },
    ],
  ])('and %s is made anew, without a word of it to the user', async (_name, damage) => {
    const cache = cacheWith('damaged', 'downloads', 'blocks', 'chunks');
    // The index is a copy, the files are links to the developer's own, but for the kernels: those suffer.
    cpSync(join(CACHE, 'systems'), join(cache, 'systems'), { recursive: true });
    expect(run('cp', '-as', join(CACHE, 'files'), join(cache, 'files')).output).toBe('');
    const kernels = readdirSync(join(cache, 'files'), { recursive: true, withFileTypes: true })
      .filter((entry) => !entry.isDirectory())
      .map((entry) => join(entry.parentPath, entry.name))
      .filter(isKernel);
    const whole = kernels.map((path) => readFileSync(path));
    for (const [index, path] of kernels.entries()) {
      rmSync(path);
      writeFileSync(path, whole[index] ?? '');
      damage(path);
    }
    const out = join(emptyFolder('out'), 'hello.fw');
    const built = await fwJson<BuildResult>(['build', '--app', app, '--out', out], {
      env: { HEARTH_CACHE: cache },
    });
    expect(built.cached.system).toBe(false);
    expect(sha256(out)).toBe(reference.sha256);
    expect(
      kernels.filter((path, index) => existsSync(path) && whole[index]?.equals(readFileSync(path))),
    ).toHaveLength(1);
  });
});

/** Whether a file of the cache is an x86 kernel: 'HdrS' at 0x202 (Linux's x86 boot protocol). */
function isKernel(path: string): boolean {
  const file = openSync(path, 'r');
  const magic = Buffer.alloc(4);
  readSync(file, magic, 0, 4, 0x202);
  closeSync(file);
  return magic.toString() === 'HdrS';
}

describe('a disk that is full', () => {
  // A tmpfs of the test's own, in a mount namespace of its own: needs no root where namespaces are allowed.
  const possible = run('unshare', '--map-root-user', '--mount', 'true').status === 0;

  async function onTiny(path: string, args: string[], env: Record<string, string> = {}): Promise<unknown> {
    const mount = `mount -t tmpfs -o size=2m none '${path}' && exec "$0" "$@"`;
    const within = ['unshare', '--map-root-user', '--mount', 'sh', '-c', mount];
    const { code, stdout, stderr } = await fw([...args, '--json'], { within, env });
    expect(code, stderr + stdout).toBe(1);
    return JSON.parse(stdout).error;
  }

  test.skipIf(!possible)('for the firmware is told by the name of the firmware', async () => {
    const out = join(emptyFolder('tiny'), 'hello.fw');
    const error = await onTiny(join(dir, 'tiny'), ['build', '--app', app, '--out', out]);
    expect(error).toMatchObject({ code: 'disk-full', where: out, remedy: expect.stringContaining('--out') });
  });

  test.skipIf(!possible)('for the cache is told by the name in the cache', async () => {
    const cache = cacheWith('small', 'downloads', 'systems', 'files', 'blocks');
    mkdirSync(join(cache, 'chunks'));
    const out = join(emptyFolder('out'), 'hello.fw');
    const error = await onTiny(join(cache, 'chunks'), ['build', '--app', app, '--out', out], {
      HEARTH_CACHE: cache,
    });
    expect(error).toMatchObject({
      code: 'disk-full',
      where: expect.stringContaining(join(cache, 'chunks')),
      remedy: expect.stringContaining('HEARTH_CACHE'),
    });
    expect(readdirSync(join(dir, 'out'))).toEqual([]);
  });
});

test('an output folder that cannot be written is named', async () => {
  // Not even root may make a file there.
  const { code, stdout } = await fw(['build', '--app', app, '--out', '/sys/hello.fw', '--json']);
  expect(code).toBe(1);
  expect(JSON.parse(stdout).error).toMatchObject({ code: 'not-writable', where: '/sys/hello.fw' });
});

describe('exit codes and errors', () => {
  test.each([
    [['--version'], 0],
    [['--help'], 0],
    [['build', '--help'], 0],
    [['buld'], 2],
    [[], 2],
    [['build', '--nonsense'], 2],
    [['build', 'extra'], 2],
    [['run', 'x.fw', '--target', 'rpi3'], 2],
    [['image'], 2],
    [['image', 'x.fw'], 2],
    [['image', 'x.fw', '-o', 'y', '--size', 'huge'], 2],
    [['build', '--app', '/nowhere'], 1],
    [['image', '/nowhere.fw', '-o', 'y'], 1],
  ])('fw %j: %d', async (args, expected) => {
    const { code, stdout, stderr } = await fw(args, { cwd: dir });
    expect(code, stderr).toBe(expected);
    // Results go to standard output, complaints to standard error.
    if (expected === 0) expect([stdout.length > 0, stderr]).toEqual([true, '']);
    else expect([stdout, stderr.length > 0]).toEqual(['', true]);
    expect(stderr).not.toContain('internal error');
  });

  test('a verb that is misspelt is told with the one that was meant', async () => {
    expect((await fw(['buld'])).stderr).toContain('Did you mean build?');
  });

  const failures: [
    name: string,
    args: string[],
    env: Record<string, string>,
    code: string,
    remedy: string,
  ][] = [
    ['an unknown target', ['--target', 'x86-64'], {}, 'unknown-target', "Did you mean 'x86_64'?"],
    [
      'a key that is not trusted',
      [],
      { HEARTH_SIGNING_KEY: generateKey('other').privateKey },
      'signing-key-not-trusted',
      'updateKeys',
    ],
  ];
  test.each(failures)('%s', async (_name, args, env, code, remedy) => {
    const told = await fw(['build', '--app', app, ...args], { env });
    expect([told.code, told.stdout]).toEqual([1, '']);
    expect(told.stderr).toContain(remedy);
    expect(told.stderr).toContain(`(${code})`);
    const json = await fw(['build', '--app', app, ...args, '--json'], { env });
    expect([json.code, json.stderr]).toEqual([1, '']);
    expect(JSON.parse(json.stdout).error).toMatchObject({ code, remedy: expect.stringContaining(remedy) });
  });

  test('a target that the project does not list', async () => {
    const narrow = await copyHello(join(dir, 'narrow'));
    const config = join(narrow, 'fw.config.ts');
    writeFileSync(config, readFileSync(config, 'utf8').replace(/targets: \[.*\]/, "targets: ['x86_64']"));
    const { code, stdout } = await fw(['build', '--app', narrow, '--target', 'rpi3', '--json']);
    expect(code).toBe(1);
    expect(JSON.parse(stdout).error).toMatchObject({
      code: 'target-not-listed',
      where: `${config}: targets`,
    });
  });

  test('an app that cannot be bundled, in its line', async () => {
    const broken = await copyHello(join(dir, 'broken'));
    writeFileSync(join(broken, 'src', 'app.ts'), "import './gone.ts';\n");
    const { code, stderr } = await fw(['build', '--app', broken]);
    expect(code).toBe(1);
    expect(stderr).toContain('src/app.ts:1:8');
    expect(readdirSync(broken).filter((name) => name.includes('.fw'))).toEqual([]);
  });
});
