import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, onTestFinished, test } from 'vitest';
import { startQemu } from './process.ts';

const BASE = [
  '-nodefaults',
  '-display',
  'none',
  '-S',
  '-chardev',
  'socket,id=qmp,fd=3',
  '-mon',
  'chardev=qmp,mode=control',
];

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** The processes that stand guard over a process, by their number in /proc. */
async function guardsOf(pid: number): Promise<string[]> {
  const guards: string[] = [];
  for (const entry of await readdir('/proc')) {
    const command = await readFile(join('/proc', entry, 'cmdline'), 'utf8').catch(() => '');
    if (command.endsWith(`\0hearth-guard\0${pid}\0`)) guards.push(entry);
  }
  return guards;
}

/** There is no event for the end of a process that is not one's child. */
async function gone(pid: number, timeoutMs: number): Promise<boolean> {
  for (const end = performance.now() + timeoutMs; performance.now() < end; await sleep(20)) {
    if (!isAlive(pid)) return true;
  }
  return false;
}

describe('a QEMU process', () => {
  test('ends in order by quit', async () => {
    const { pid, quit, exited, serials } = await startQemu('qemu-system-x86_64', ['-M', 'none', ...BASE]);
    for (const serial of serials) serial.resume();
    expect(await guardsOf(pid)).toHaveLength(1);
    expect(await quit()).toMatchObject({ code: 0, signal: null });
    expect(await exited).toMatchObject({ code: 0 });
    expect(isAlive(pid)).toBe(false);
    // Its number may become another process's: nobody may be left who would kill that.
    await expect.poll(() => guardsOf(pid), { timeout: 10_000 }).toEqual([]);
  });

  test('is ended by force when it does not react', async () => {
    const { pid, kill, serials } = await startQemu('qemu-system-x86_64', ['-M', 'none', ...BASE]);
    for (const serial of serials) serial.resume();
    process.kill(pid, 'SIGSTOP');
    expect(await kill()).toMatchObject({ signal: 'SIGKILL' });
    expect(isAlive(pid)).toBe(false);
  });

  test('dies with the process that started it, however that ends', async () => {
    const module = join(import.meta.dirname, 'process.ts');
    const script = `
      const { startQemu } = await import(${JSON.stringify(module)});
      const { pid } = await startQemu('qemu-system-x86_64', ${JSON.stringify(['-M', 'none', ...BASE])});
      console.log(pid);`;
    const parent = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    onTestFinished(() => void parent.kill('SIGKILL'));
    const [line] = await once(parent.stdout, 'data');
    const pid = Number(line);
    expect(isAlive(pid)).toBe(true);
    parent.kill('SIGKILL');
    expect(await gone(pid, 5000)).toBe(true);
  });
});

describe('a QEMU that does not start', () => {
  test('says what QEMU said', async () => {
    const bad = startQemu('qemu-system-x86_64', ['-M', 'no-such-machine', ...BASE]);
    await expect(bad).rejects.toMatchObject({ code: 'qemu-failed' });
    await expect(bad).rejects.toThrow('no-such-machine');
  });

  test('is told from one that is not there', async () => {
    await expect(startQemu('/no/such/qemu', BASE)).rejects.toMatchObject({
      code: 'qemu-failed',
      where: '/no/such/qemu',
    });
  });

  test('names the disk that another machine uses', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'hearth-lock-'));
    onTestFinished(() => rm(folder, { recursive: true }));
    const disk = join(folder, 'disk.img');
    await writeFile(disk, '');
    await truncate(disk, 1024 * 1024);
    const file = { driver: 'file', filename: disk };
    const args = [
      ...['-M', 'q35', ...BASE, '-device', 'virtio-blk-pci,drive=d'],
      ...['-blockdev', JSON.stringify({ driver: 'raw', 'node-name': 'd', file })],
    ];
    const first = await startQemu('qemu-system-x86_64', args);
    onTestFinished(async () => void (await first.kill()));
    const second = startQemu('qemu-system-x86_64', args);
    await expect(second).rejects.toMatchObject({ code: 'disk-in-use', where: disk });
  });
});
