import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest';
import { claim, processStart } from './claim.ts';

let dir: string;
let path: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'hearth-claim-'));
  path = join(dir, 'machine');
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const MODULE = JSON.stringify(join(import.meta.dirname, 'claim.ts'));

/** A process that claims, says what came of it, and holds what it has until it is told to end. */
function claimer(): { child: ChildProcess; said: Promise<string> } {
  const code = `
    import { claim } from ${MODULE};
    const held = await claim(process.argv[1], 'it').then(() => 'mine', (error) => error.code);
    process.stdout.write(held);
    process.stdin.resume();`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', code, path], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  return { child, said: once(child.stdout, 'data').then(String) };
}

test('a claim is one process’s until it lets go', async () => {
  const first = await claim(path, 'the machine');
  await expect(claim(path, 'the machine')).rejects.toMatchObject({
    code: 'already-running',
    message: `the machine is running already, in process ${process.pid}`,
    where: path,
  });
  first.release();
  expect(readdirSync(dir)).toEqual([]);
  using second = await claim(path, 'the machine');
  expect(second).toBeDefined();
});

test('of many that want it at once one gets it, and never two', async () => {
  const claimers = Array.from({ length: 4 }, claimer);
  const outcomes = await Promise.all(claimers.map(({ said }) => said));
  const owners = outcomes.filter((outcome) => outcome === 'mine');
  // All may step back from each other to the last; two owners may never be.
  expect(owners.length).toBeLessThanOrEqual(1);
  expect(outcomes.filter((outcome) => outcome !== 'mine')).toEqual(
    Array(claimers.length - owners.length).fill('already-running'),
  );
});

test('what a killed process had claimed is free, and its file is cleared away', async () => {
  const { child, said } = claimer();
  expect(await said).toBe('mine');
  await expect(claim(path, 'it')).rejects.toMatchObject({ code: 'already-running' });
  child.kill('SIGKILL');
  await once(child, 'exit');
  expect(readdirSync(dir)).toHaveLength(1);
  using now = await claim(path, 'it');
  expect(now).toBeDefined();
  expect(readdirSync(dir)).toEqual([expect.stringContaining(`-${process.pid}-`)]);
});

test('a later process with the id of one that has ended is not taken for it', async () => {
  writeFileSync(`${path}.used-by-${process.pid}-0123456789ab-00000000`, '');
  using now = await claim(path, 'it');
  expect(now).toBeDefined();
  expect(readdirSync(dir)).toHaveLength(1);
});

test('where nobody says when a process began, its id has to do', async () => {
  const unknown = async (): Promise<undefined> => undefined;
  const { child, said } = claimer();
  expect(await said).toBe('mine');
  // One that can be told by its start is not taken for dead by who cannot look.
  await expect(claim(path, 'it', unknown)).rejects.toMatchObject({ code: 'already-running' });
  child.kill('SIGKILL');
  await once(child, 'exit');
  using first = await claim(path, 'it', unknown);
  expect(readdirSync(dir)).toEqual([expect.stringContaining(`-${process.pid}-unknown-`)]);
  for (const startOf of [unknown, processStart])
    await expect(claim(path, 'it', startOf)).rejects.toMatchObject({ code: 'already-running' });
  first.release();
});

test('a start is known without the boot’s id, which sandboxes hide', async () => {
  // More than the largest that Linux can have.
  const pid = 2 ** 23;
  mkdirSync(join(dir, `${pid}`));
  writeFileSync(join(dir, `${pid}`, 'stat'), readFileSync('/proc/self/stat'));
  expect(await processStart(pid, 'linux', dir)).toMatch(/^[0-9a-f]{12}$/);
});

test.each(['linux', 'darwin'] as const)(
  'on %s a process is known by its start; one that has ended is not',
  async (platform) => {
    const child = spawn(process.execPath, ['-e', 'process.stdin.resume()'], {
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    const pid = child.pid ?? 0;
    const start = await processStart(pid, platform);
    expect(start).toMatch(/^[0-9a-f]{12}$/);
    expect(await processStart(pid, platform)).toBe(start);
    expect(await processStart(process.pid, platform)).not.toBe(start);
    child.kill('SIGKILL');
    await once(child, 'exit');
    expect(await processStart(pid, platform)).toBeUndefined();
    // The largest process id that Linux can have, and nobody has.
    const max = Number(readFileSync('/proc/sys/kernel/pid_max', 'utf8'));
    expect(await processStart(max, platform)).toBeUndefined();
  },
);
