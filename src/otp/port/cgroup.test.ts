import { expect, test } from 'vitest';
import { cgroupFolder, limitFiles, makeCgroup } from './cgroup.ts';

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
