import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { FwError } from '../../errors.ts';
import { type AccelerationProbes, checkAcceleration } from './acceleration.ts';
import { checkClock } from './clock.ts';
import { checkEmulators } from './emulator.ts';
import { checkCache, checkSpace } from './folders.ts';
import { aptOf, distribution, type Host, unsupported } from './host.ts';
import { howToInstall, type Wanted } from './install.ts';
import { checkNode } from './node.ts';
import { checkNpm } from './npm.ts';
import { checkKeyFiles } from './project.ts';
import { checkSsh } from './ssh.ts';

const HOST: Host = {
  platform: 'linux',
  arch: 'x64',
  distributions: ['debian'],
  version: '13',
  root: false,
  apt: { mirror: 'http://mirror.example/debian', backports: false },
  env: {},
};
const on = (changed: Partial<Host>): Host => ({ ...HOST, ...changed });
const MAC = on({ platform: 'darwin', arch: 'arm64', distributions: [], version: '' });

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'hearth-doctor-'));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

describe('the machine', () => {
  test('is told by os-release(5), quoted or not', () => {
    expect(
      distribution('PRETTY_NAME="Ubuntu 24.04"\nVERSION_ID="24.04"\nID=ubuntu\nID_LIKE=debian\n'),
    ).toEqual({
      distributions: ['ubuntu', 'debian'],
      version: '24.04',
    });
    expect(distribution('')).toEqual({ distributions: [], version: '' });
  });

  test("is known with its apt's mirror and suites", () => {
    const own = 'Types: deb\nURIs: http://mirror.example/debian\nSuites: bookworm bookworm-updates\n';
    expect(aptOf([own])).toEqual({ mirror: 'http://mirror.example/debian', backports: false });
    expect(aptOf([own.replace('-updates', '-backports')])).toMatchObject({ backports: true });
    expect(aptOf([own, '# deb http://mirror.example/debian bookworm-backports main'])).toMatchObject({
      backports: false,
    });
    expect(aptOf([])).toEqual({ mirror: undefined, backports: false });
  });

  test('is one that Hearth runs on, or what to use instead is said', () => {
    expect([HOST, MAC, on({ arch: 'arm64' })].map(unsupported)).toEqual([undefined, undefined, undefined]);
    expect(unsupported(on({ platform: 'win32' }))?.remedy).toContain('wsl --install');
    expect(unsupported(on({ arch: 'riscv64' }))?.text).toContain('linux-riscv64');
  });

  test.each<[string, Host, Wanted, string]>([
    ['Debian 13', HOST, 'qemu-x86_64', 'sudo apt install qemu-system-x86'],
    ['root', on({ root: true }), 'uefi-aarch64', 'apt install qemu-efi-aarch64'],
    [
      'Debian 12',
      on({ version: '12' }),
      'qemu-aarch64',
      'echo "deb http://mirror.example/debian bookworm-backports main" | sudo tee /etc/apt/sources.list.d/backports.list' +
        ' && sudo apt update && sudo apt install -t bookworm-backports qemu-system-arm',
    ],
    [
      'Debian 12 with backports',
      on({ version: '12', apt: { mirror: undefined, backports: true } }),
      'qemu-aarch64',
      'sudo apt install -t bookworm-backports qemu-system-arm',
    ],
    ['Debian 12, not QEMU', on({ version: '12' }), 'uefi-x86_64', 'sudo apt install ovmf'],
    [
      'Ubuntu 25.10',
      on({ distributions: ['ubuntu', 'debian'], version: '25.10' }),
      'ssh',
      'sudo apt install openssh-client',
    ],
    [
      'Ubuntu 24.04',
      on({ distributions: ['ubuntu', 'debian'], version: '24.04' }),
      'qemu-x86_64',
      'Upgrade to Ubuntu 25.04',
    ],
    ['Fedora', on({ distributions: ['fedora'] }), 'uefi-x86_64', 'sudo dnf install edk2-ovmf'],
    [
      'Rocky',
      on({ distributions: ['rocky', 'rhel', 'centos', 'fedora'] }),
      'npm',
      'sudo dnf install nodejs-npm',
    ],
    [
      'Manjaro',
      on({ distributions: ['manjaro', 'arch'] }),
      'qemu-aarch64',
      'sudo pacman -S qemu-system-aarch64',
    ],
    [
      'openSUSE',
      on({ distributions: ['opensuse-leap', 'suse'] }),
      'qemu-x86_64',
      'sudo zypper install qemu-x86',
    ],
    ['macOS', MAC, 'qemu-aarch64', 'brew install qemu'],
    ['NixOS', on({ distributions: ['nixos'] }), 'qemu-x86_64', 'Install QEMU 9 or newer for x86_64'],
  ])('%s: what installs a thing', (_name, host, wanted, command) => {
    expect(howToInstall(wanted, host)).toContain(command);
  });
});

describe('Node and npm', () => {
  const levels = (host: Host, how: Parameters<typeof checkNode>[1]) =>
    checkNode(host, how).map(({ level }) => level);

  test('another Node will do, when it compresses as the pinned one', () => {
    expect(levels(HOST, { version: '24.0.0', pinned: '24.0.0' })).toEqual(['ok']);
    expect(levels(HOST, { version: '26.0.0', pinned: '24.0.0', sameCompressors: true })).toEqual(['ok']);
    expect(levels(HOST, { version: '26.0.0', pinned: '24.0.0', sameCompressors: false })).toEqual(['note']);
    expect(levels(on({ platform: 'win32' }), { version: '24.0.0', pinned: '24.0.0' })).toEqual([
      'problem',
      'ok',
    ]);
  });

  test('npm is a problem only where something is to be fetched', async () => {
    const broken = async (): Promise<string> => {
      throw new Error('spawn npm ENOENT\nand a stack');
    };
    expect(await checkNpm(HOST, true, false, broken)).toMatchObject({
      level: 'problem',
      stops: 'fw build',
      text: 'npm does not run: spawn npm ENOENT',
      remedy: 'sudo apt install npm',
    });
    expect(await checkNpm(HOST, false, false, broken)).toMatchObject({ level: 'note' });
  });

  test('a registry is asked only with --online', async () => {
    const asked: string[][] = [];
    const npm = async (args: string[]): Promise<string> => {
      asked.push(args);
      if (args[0] === 'ping') throw new Error('connect ECONNREFUSED');
      return '11.0.0\n';
    };
    expect(await checkNpm(HOST, true, false, npm)).toEqual({ check: 'npm', level: 'ok', text: '11.0.0' });
    expect(asked).toEqual([['--version']]);
    expect(await checkNpm(HOST, true, true, npm)).toMatchObject({
      level: 'problem',
      text: expect.stringContaining('ECONNREFUSED'),
    });
  });
});

test('the clock is wrong before the packages were made, and long after', () => {
  const dates = ['2026-01-01T00:00:00Z', '2026-10-01T00:00:00Z'];
  const at = (date: string): string => checkClock(HOST, Date.parse(date), dates).level;
  expect(['1970-01-01', '2026-05-05', '2026-10-02', '2040-01-01', '2060-01-01'].map(at)).toEqual([
    'note',
    'note',
    'ok',
    'ok',
    'note',
  ]);
});

describe('the emulator', () => {
  const found = { path: '/usr/bin/qemu', version: [10, 0] as [number, number] };
  const firmware = { code: '/code', vars: '/vars' };

  test('is looked for once an architecture; a Pi needs no UEFI firmware', async () => {
    const asked: string[] = [];
    const probes = {
      qemu: async (emulator: string) => {
        asked.push(emulator);
        return found;
      },
      uefi: async (arch: string) => {
        asked.push(`uefi ${arch}`);
        return firmware;
      },
    };
    await checkEmulators(HOST, ['q35', 'virt-arm64', 'raspi3b', 'q35'], probes);
    expect(asked).toEqual(['q35', 'uefi x86_64', 'virt-arm64', 'uefi aarch64']);
    asked.length = 0;
    await checkEmulators(HOST, ['raspi3b'], probes);
    expect(asked).toEqual(['raspi3b']);
  });

  test('that is missing stops fw run, and the command for this machine is told', async () => {
    const missing = async (): Promise<never> => {
      throw new FwError('qemu-missing', 'it is not on the PATH');
    };
    const { findings, programs } = await checkEmulators(HOST, ['q35'], { qemu: missing, uefi: missing });
    expect(programs.size).toBe(0);
    expect(findings).toEqual([
      {
        check: 'QEMU',
        level: 'problem',
        stops: 'fw run',
        text: 'it is not on the PATH',
        remedy: 'sudo apt install qemu-system-x86',
      },
      expect.objectContaining({ check: 'UEFI firmware', stops: 'fw run', remedy: 'sudo apt install ovmf' }),
    ]);
  });
});

describe('acceleration', () => {
  const guest = { qemu: '/usr/bin/qemu', arch: 'x64', machine: 'q35' } as const;
  const flags = 'flags\t\t: fpu vmx sse\n';
  const usable: AccelerationProbes = {
    works: async () => true,
    kvm: async () => 'usable',
    cpuinfo: async () => flags,
  };
  test.each<[string, Host, Partial<AccelerationProbes>, string, string]>([
    ['works', HOST, {}, 'ok', 'KVM works'],
    ['fails', HOST, { works: async () => false }, 'note', 'does not start'],
    ['is missing', HOST, { kvm: async () => 'missing' }, 'note', 'there is no /dev/kvm'],
    ['is not lent', HOST, { cpuinfo: async () => 'flags : fpu\n' }, 'note', 'vmx, svm'],
    ['needs no flags on arm64', on({ arch: 'arm64' }), { cpuinfo: async () => '' }, 'ok', 'KVM works'],
    ['is not for macOS', MAC, {}, 'note', 'KVM, which Linux has'],
  ])('KVM %s', async (_name, host, probes, level, text) => {
    const finding = await checkAcceleration(host, guest, { ...usable, ...probes });
    expect(finding).toMatchObject({ level, text: expect.stringContaining(text) });
  });

  test("without permission the command that gives it is told; another machine's guest is none of it", async () => {
    const denied = { ...usable, kvm: async () => 'denied' as const };
    expect((await checkAcceleration(HOST, guest, denied))?.remedy).toContain('usermod -aG kvm $USER');
    expect(await checkAcceleration(HOST, undefined, usable)).toBeUndefined();
  });
});

describe('folders', () => {
  test('a cache that is not there yet is made in a folder that must be writable', async () => {
    expect(await checkCache(HOST, join(dir, 'a', 'b'))).toMatchObject([{ level: 'ok' }]);
    writeFileSync(join(dir, 'file'), '');
    expect(await checkCache(HOST, join(dir, 'file', 'b'))).toMatchObject([
      { level: 'problem', stops: 'fw build' },
    ]);
  });

  test("one folder of another user's is found, and the command that gives it back is told", async () => {
    const shard = join(dir, 'files', 'ab');
    mkdirSync(shard, { recursive: true });
    const mayWrite = async (path: string): Promise<void> => {
      if (path === shard) throw Object.assign(new Error('EACCES: no'), { code: 'EACCES' });
    };
    expect(await checkCache(HOST, dir, mayWrite)).toEqual([
      {
        check: 'cache',
        level: 'problem',
        stops: 'fw build',
        text: `${shard} cannot be written (EACCES)`,
        remedy: `sudo chown -R $USER ${dir}`,
      },
    ]);
  });

  test('a limit that is none is told', async () => {
    const host = on({ env: { HEARTH_CACHE_LIMIT: 'huge' } });
    expect(await checkCache(host, dir)).toMatchObject([
      { level: 'problem', text: expect.stringContaining('huge') },
    ]);
  });

  test.each([
    [0, 100e9, 'ok'],
    [0, 1e9, 'note'],
    [0, 249e6, 'problem'],
    [2, 1.4e9, 'problem'],
    [2, 1.5e9, 'note'],
  ])('%d systems to fetch and %d bytes free: %s', async (systems, free, level) => {
    const findings = await checkSpace(join(dir, 'cache'), dir, systems, async () => free);
    expect(findings.map((finding) => finding.level)).toEqual([level]);
  });
});

describe('programs and keys', () => {
  test('ssh is looked for on the PATH', async () => {
    expect(await checkSsh(on({ env: { PATH: dir } }))).toMatchObject({
      level: 'note',
      remedy: 'sudo apt install openssh-client',
    });
    writeFileSync(join(dir, 'ssh'), '#!/bin/sh\n', { mode: 0o755 });
    expect(await checkSsh(on({ env: { PATH: dir } }))).toMatchObject({ level: 'ok' });
  });

  test('a key that cannot be read as one is told', () => {
    writeFileSync(join(dir, 'broken'), '-----BEGIN OPENSSH PRIVATE KEY-----\nnonsense\n');
    chmodSync(join(dir, 'broken'), 0o600);
    const host = on({ env: { HEARTH_KEYS: dir } });
    expect(checkKeyFiles(host)).toMatchObject([
      { check: 'key files', level: 'note', text: expect.stringContaining(join(dir, 'broken')) },
    ]);
    expect(checkKeyFiles(on({ env: { HEARTH_KEYS: join(dir, 'none') } }))).toEqual([]);
  });
});
