import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';

const url = (path: string) => JSON.stringify(new URL(path, import.meta.url).href);

async function runApp(body: string): Promise<{ code: number; stderr: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'supervised-app-'));
  const file = join(folder, 'app.ts');
  await writeFile(
    file,
    `import { run } from ${url('../run.ts')};
     import { supervisor } from ${url('./supervisor.ts')};
     import { child } from ${url('./child-spec.ts')};
     import { Server } from ${url('../server/server.ts')};
     ${body}`,
  );
  try {
    return await new Promise((resolve) => {
      execFile(process.execPath, [file], { timeout: 60_000 }, (error, _, stderr) =>
        resolve({ code: typeof error?.code === 'number' ? error.code : 0, stderr }),
      );
    });
  } finally {
    await rm(folder, { recursive: true });
  }
}

test('the top gives up: one report that says who and why, and exit code 1', async () => {
  const { code, stderr } = await runApp(`
    class Faulty extends Server {
      override init() { this.setTimeout(1); }
      override timeout() { throw new Error('the sensor is gone'); }
    }
    run(supervisor({ name: 'app', maxRestarts: 1, children: [child(Faulty, { name: 'sensor' })] }));`);
  expect(code).toBe(1);
  const [report, ...rest] = stderr.split('\n').filter((line) => line.startsWith('critical:'));
  expect(rest).toEqual([]);
  expect(report).toContain("the supervisor 'app' gave up restarting its children");
  expect(report).toContain("'sensor' had ended: Error: the sensor is gone");
});

test('a tree that has done its work ends the process with 0, in good order', async () => {
  const { code, stderr } = await runApp(`
    class Job extends Server {
      override init() { this.setTimeout(1); }
      override timeout() { this.stop(); }
    }
    class Helper extends Server {
      override terminate() { console.error('helper stopped'); }
    }
    const job = child(Job, { restart: 'transient', significant: true });
    run(supervisor({ autoShutdown: 'any_significant', children: [child(Helper), job] }));`);
  expect([code, stderr.includes('helper stopped')]).toEqual([0, true]);
});

test('a child that does not start ends it with 1 and says why', async () => {
  const { code, stderr } = await runApp(`
    class Broken extends Server { override init() { throw new Error('no such bus'); } }
    run(supervisor({ children: [child(Broken)] }));`);
  expect(code).toBe(1);
  expect(stderr).toContain('no such bus');
});
