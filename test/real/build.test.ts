import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  lstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EXAMPLE_PUBLIC_KEY, isExampleKey, parsePublicKey } from '../../src/archive/index.ts';
import { APPLETS } from '../../src/build/applets.ts';
import type { BuildResult } from '../../src/build/firmware.ts';
import { loadTarget } from '../../src/build/targets.ts';
import { parseFirmwareInfo } from '../../src/device/firmware-info.ts';
import { isElf } from '../../src/formats/elf.ts';
import { run } from './disk-file.ts';
import { copyHello, fwJson, UMASK_077 } from './fw.ts';

/** The whole pipeline, by the real command; its output judged by tar, unsquashfs, readelf and ssh-keygen. */
let dir: string;
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'hearth-build-'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

function judge(program: string, ...args: string[]): string {
  const { status, output } = run(program, ...args);
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${status}\n${output}`);
  return output;
}

const sha256 = (path: string): string => createHash('sha256').update(readFileSync(path)).digest('hex');

describe('B2: the same inputs give the same bytes', () => {
  test('in another folder, at another depth, under another umask, locale, time zone and home', async () => {
    const near = await copyHello(join(dir, 'near'));
    const far = await copyHello(join(dir, 'some', 'where', 'far', 'away'));
    writeFileSync(join(far, 'fw.config.ts'), readFileSync(join(far, 'fw.config.ts')), { mode: 0o600 });
    const one = await fwJson<BuildResult>(['build', '--target', 'x86_64'], { cwd: near });
    const two = await fwJson<BuildResult>(['build', '--target', 'x86_64', '--app', relative(dir, far)], {
      cwd: dir,
      within: UMASK_077,
      env: {
        LC_ALL: 'tr_TR.UTF-8',
        LANG: 'tr_TR.UTF-8',
        TZ: 'Pacific/Kiritimati',
        HOME: join(dir, 'nobody'),
        SOURCE_DATE_EPOCH: '1',
        NODE_ENV: 'production',
      },
    });
    expect(one.path).toBe(join(near, 'hello-1.0.0-x86_64.fw'));
    expect(two.path).toBe(join(far, 'hello-1.0.0-x86_64.fw'));
    expect(sha256(two.path)).toBe(sha256(one.path));
    expect(two.uuid).toBe(one.uuid);
    // What the command says of the file is true.
    expect(one.sha256).toBe(sha256(one.path));
    expect(one.size).toBe(statSync(one.path).size);
  });

  test('a change of the app gives another firmware, with another UUID', async () => {
    const app = await copyHello(join(dir, 'changed'));
    const before = await fwJson<BuildResult>(['build', '--app', app]);
    const file = join(app, 'src', 'app.ts');
    writeFileSync(file, `${readFileSync(file, 'utf8')}\nconsole.log('one more line');\n`);
    const after = await fwJson<BuildResult>(['build', '--app', app]);
    expect(after.uuid).not.toBe(before.uuid);
    expect(after.sha256).not.toBe(before.sha256);
    expect(after.cached.system).toBe(true);
  });
});

// The version of readelf that knows both machines comes with every binutils.
const MACHINES = { x86_64: 'Advanced Micro Devices X86-64', qemu_arm64: 'AArch64', rpi3: 'AArch64' };

describe.each(['x86_64', 'qemu_arm64', 'rpi3'] as const)('the firmware of hello for %s', (target) => {
  let result: BuildResult;
  let parts: string;
  let root: string;
  beforeAll(async () => {
    const app = await copyHello(join(dir, target));
    result = await fwJson<BuildResult>([
      'build',
      '--app',
      app,
      '--target',
      target,
      '--out',
      join(dir, `${target}.fw`),
    ]);
    parts = join(dir, `${target}-parts`);
    judge('mkdir', parts);
    judge('tar', '-xf', result.path, '-C', parts);
    root = join(parts, 'payload', 'root');
  });

  test('is told in JSON', () => {
    expect(result).toEqual({
      path: join(dir, `${target}.fw`),
      size: expect.any(Number),
      sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
      uuid: expect.stringMatching(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/),
      product: 'hello',
      version: '1.0.0',
      target,
      dev: true,
      exampleKey: true,
      seconds: {
        system: expect.any(Number),
        bundle: expect.any(Number),
        root: expect.any(Number),
        boot: expect.any(Number),
        firmware: expect.any(Number),
      },
      cached: {
        system: expect.any(Boolean),
        files: { hits: expect.any(Number), misses: expect.any(Number) },
      },
    });
    expect(result.size).toBeLessThanOrEqual(60_000_000);
  });

  test('is a tar of manifest, signature, chunk table and payloads, in that order', () => {
    const lines = judge('tar', '--list', '--verbose', '--numeric-owner', '-f', result.path)
      .trim()
      .split('\n');
    expect(lines.map((line) => line.split(/\s+/).at(-1))).toEqual([
      'manifest.json',
      'manifest.json.sig',
      'chunks',
      'payload/loader',
      'payload/boot',
      'payload/root',
    ]);
    for (const line of lines) expect(line).toMatch(/^-rw-r--r-- 0\/0 /);
  });

  test('carries a signature that ssh-keygen accepts, and only over this manifest', () => {
    const allowed = join(dir, `${target}.allowed`);
    writeFileSync(allowed, `builder namespaces="hearth-firmware" ${EXAMPLE_PUBLIC_KEY}\n`);
    const signature = join(parts, 'manifest.json.sig');
    const verify = (input: Uint8Array): number | null =>
      spawnSync(
        'ssh-keygen',
        ['-Y', 'verify', '-f', allowed, '-I', 'builder', '-n', 'hearth-firmware', '-s', signature],
        { input },
      ).status;
    const manifest = readFileSync(join(parts, 'manifest.json'));
    expect(verify(manifest)).toBe(0);
    expect(verify(manifest.subarray(1))).not.toBe(0);
  });

  describe('its root', () => {
    interface Entry {
      type: string;
      mode: string;
      owner: string;
      time: string;
      path: string;
      target?: string;
    }
    let entries: Map<string, Entry>;
    let files: string;
    beforeAll(() => {
      entries = new Map(
        judge('unsquashfs', '-lln', root)
          .split('\n')
          .flatMap((line) => {
            const [, type, mode, owner, time, path, link] =
              /^([-a-z])(\S{9}) +(\S+) +[\d,]+ (\S+ \S+) squashfs-root\/?(.*?)(?: -> (.*))?$/.exec(line) ??
              [];
            if (!type || !mode || !owner || !time || path === undefined) return [];
            return [[path, { type, mode, owner, time, path, ...(link ? { target: link } : {}) }] as const];
          }),
      );
      files = join(parts, 'root');
      judge('unsquashfs', '-no-progress', '-d', files, root);
    });

    test('belongs to root, is made of files, folders and links, and has nothing setuid', () => {
      expect(entries.size).toBeGreaterThan(150);
      const all = [...entries.values()];
      expect(all.filter(({ owner }) => owner !== '0/0')).toEqual([]);
      expect(all.filter(({ type }) => !'-dl'.includes(type))).toEqual([]);
      expect(all.filter(({ mode }) => /[sStT]/.test(mode))).toEqual([]);
    });

    test('has the modes of its places: nothing is writable by others, programs can be run', () => {
      const all = [...entries.values()];
      expect(all.filter(({ type, mode }) => type !== 'l' && /^.{4}w|^.{7}w/.test(mode))).toEqual([]);
      expect(
        all.filter(
          ({ type, mode, path }) => type === 'd' && mode !== (path === 'root' ? 'rwx------' : 'rwxr-xr-x'),
        ),
      ).toEqual([]);
      const modes = (...paths: string[]): (string | undefined)[] =>
        paths.map((path) => entries.get(path)?.mode);
      expect(
        modes(
          'usr/bin/node',
          'usr/bin/busybox',
          'usr/sbin/heart',
          'usr/sbin/e2fsck',
          'usr/lib/hearth/udhcpc.script',
        ),
      ).toEqual(Array(5).fill('rwxr-xr-x'));
      expect(modes('srv/app/app.mjs', 'etc/passwd', 'etc/hearth/firmware.json')).toEqual(
        Array(3).fill('rw-r--r--'),
      );
    });

    test('carries one time stamp, that of the lock', async () => {
      const { lock } = await loadTarget(target);
      const stamp = lock.date.slice(0, 16).replace('T', ' ');
      expect([...new Set([...entries.values()].map(({ time }) => time))]).toEqual([stamp]);
    });

    test('has no link that leads nowhere, but for those that the running system fills', () => {
      const nowhere = [...entries.values()].filter(
        ({ type, path }) => type === 'l' && !existsIn(files, path),
      );
      expect(nowhere.length).toBeGreaterThan(0);
      expect(nowhere.filter(({ target }) => !/^\/?(proc|run)\//.test(target ?? ''))).toEqual([]);
    });

    test('names itself in /etc/hearth, and says that it is signed with the example key', () => {
      const read = (name: string): string => readFileSync(join(files, 'etc/hearth', name), 'utf8');
      expect(readdirSync(join(files, 'etc/hearth')).sort()).toEqual(['example-key', 'firmware.json', 'uuid']);
      expect(read('uuid')).toBe(`${result.uuid}\n`);
      const info = parseFirmwareInfo(read('firmware.json'));
      expect(info.updateKeys.map((line) => isExampleKey(parsePublicKey(line)))).toEqual([true]);
      expect(info).toMatchObject({
        uuid: result.uuid,
        target,
        product: 'hello',
        console: 'shell',
        dev: true,
        exampleKey: true,
        network: { hostname: 'hello', dhcp: true },
      });
      expect(JSON.parse(readFileSync(join(files, 'srv/app/config.json'), 'utf8'))).toMatchObject({
        port: 8080,
      });
    });

    test('has programs for this machine only, every one of them', async () => {
      const elves = [...entries.values()].filter(
        ({ type, path }) => type === '-' && isElf(readFileSync(join(files, path))),
      );
      expect(elves.length).toBeGreaterThan(60);
      const machines = judge('readelf', '--file-header', ...elves.map(({ path }) => join(files, path)))
        .split('\n')
        .flatMap((line) => /^ +Machine: +(.*)$/.exec(line)?.[1] ?? []);
      expect(machines).toHaveLength(elves.length);
      expect([...new Set(machines)]).toEqual([MACHINES[target]]);
    });

    test('has a busybox that knows every applet that it is linked for', async () => {
      if (target !== 'x86_64' || process.arch !== 'x64') return;
      const known = judge(join(files, 'usr/bin/busybox'), '--list').trim().split('\n');
      expect(APPLETS.filter((name) => !known.includes(name))).toEqual([]);
    });

    test('carries the licence of every package that it is made from', async () => {
      const { lock } = await loadTarget(target);
      const folder = join(files, 'usr/share/doc');
      for (const { name } of lock.packages) {
        const kernel = name.startsWith('linux-image-');
        const path = join(folder, kernel ? 'linux' : name, 'copyright');
        expect(statSync(path).size, path).toBeGreaterThan(0);
      }
      expect(statSync(join(folder, 'nodejs', 'copyright')).size).toBeGreaterThan(0);
    });
  });
});

/** Whether a path of an unpacked root leads to something, with every link on the way followed inside that root. */
function existsIn(files: string, path: string, links = 0): boolean {
  let at = '/';
  const names = path.split('/').filter(Boolean);
  for (const [index, name] of names.entries()) {
    at = join(at, name);
    const found = lstatSync(join(files, at), { throwIfNoEntry: false });
    if (!found) return false;
    if (found.isSymbolicLink()) {
      const target = resolve(dirname(at), readlinkSync(join(files, at)));
      return links < 40 && existsIn(files, join(target, ...names.slice(index + 1)), links + 1);
    }
  }
  return true;
}
