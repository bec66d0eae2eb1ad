import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { cgroupFolder, limitFiles, makeCgroup, portsFolder, ranOutOfMemory, sweep } from './cgroup.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hearth-cgroup-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const mount = (root: string, point: string) =>
  `24 30 0:22 / /proc rw - proc proc rw\n35 24 0:30 ${root} ${point} rw,nosuid shared:9 - cgroup2 cgroup2 rw\n`;

test('the own cgroup is found where it is mounted', () => {
  expect(cgroupFolder('0::/app\n', mount('/', '/sys/fs/cgroup'))).toBe('/sys/fs/cgroup/app');
  expect(cgroupFolder('4:memory:/x\n0::/\n', mount('/', '/sys/fs/cgroup/unified'))).toBe(
    '/sys/fs/cgroup/unified',
  );
  // In a container that sees only its own part.
  expect(cgroupFolder('0::/c/1/app\n', mount('/c/1', '/sys/fs/cgroup'))).toBe('/sys/fs/cgroup/app');
  expect(cgroupFolder('0::/c/12\n', mount('/c/1', '/sys/fs/cgroup'))).toBeUndefined();
});

test('there may be none, or one that a shell cannot be told', () => {
  expect(cgroupFolder('4:memory:/x\n', mount('/', '/sys/fs/cgroup'))).toBeUndefined();
  expect(cgroupFolder('0::/\n', '24 30 0:22 / /proc rw - proc proc rw\n')).toBeUndefined();
  expect(cgroupFolder('0::/a b\n', mount('/', '/sys/fs/cgroup'))).toBeUndefined();
});

test('limits are files of the cgroup; what cannot be limited is refused', () => {
  expect(limitFiles({ memoryBytes: 1e6, processes: 20 })).toEqual([
    ['memory.max', '1000000'],
    ['pids.max', '20'],
  ]);
  expect(limitFiles({ processes: undefined })).toEqual([]);
  // Wherever this runs: no kernel takes it, and a system without cgroups does not either.
  expect(() => makeCgroup({ memoryBytes: -5 })).toThrow("a port's limits cannot be set");
});

test('ports are beside a program that is in `main` of a cgroup that is its own, else below it', () => {
  const main = join(folder, 'main');
  mkdirSync(main);
  expect(portsFolder(main)).toBe(main);
  writeFileSync(join(folder, 'cgroup.procs'), '');
  expect(portsFolder(main)).toBe(folder);
  expect(portsFolder(join(folder, 'other'))).toBe(join(folder, 'other'));
});

test('what a dead program left is removed; what a living one has made is not', () => {
  const { pid: dead } = spawnSync(process.execPath, ['--version']);
  const own = `hearth-port-${process.pid}-1-1`;
  for (const name of [`hearth-port-${dead}-0-1`, own, 'hearth-port-1-0-1', 'other'])
    mkdirSync(join(folder, name));
  sweep(folder);
  expect(readdirSync(folder).sort()).toEqual(['hearth-port-1-0-1', own, 'other'].sort());
});

test('whether it was memory, the kernel counts', () => {
  expect(ranOutOfMemory(folder)).toBe(false);
  const count = (kills: number) =>
    writeFileSync(join(folder, 'memory.events'), `low 0\noom 2\noom_kill ${kills}\noom_group_kill 0\n`);
  count(0);
  expect(ranOutOfMemory(folder)).toBe(false);
  count(12);
  expect(ranOutOfMemory(folder)).toBe(true);
});
