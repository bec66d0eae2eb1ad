import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';

// The example apps as fw build bundles them, each a process of its own on a free port.
const root = fileURLToPath(new URL('../../', import.meta.url));
let folder: string;
const running = new Set<ChildProcess>();
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'hearth-apps-'));
  for (const name of ['hello', 'todo']) {
    await build({
      entryPoints: [join(root, 'firmware/apps', name, 'src/app.ts')],
      outfile: join(folder, `${name}.mjs`),
      bundle: true,
      platform: 'node',
      format: 'esm',
      target: 'node24',
      alias: { hearthfw: join(root, 'src/otp/index.ts') },
    });
  }
});
afterEach(() => {
  for (const child of running) child.kill('SIGKILL');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Running {
  base: string;
  child: ChildProcess;
  end(signal: NodeJS.Signals): Promise<number | null>;
}

/** Starts an app and waits until it says on which port it serves. */
async function start(name: string, settings: object, env: Record<string, string> = {}): Promise<Running> {
  const config = join(folder, `${name}.json`);
  writeFileSync(config, JSON.stringify({ port: 0, ...settings }));
  const child = spawn(process.execPath, [join(folder, `${name}.mjs`)], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { PATH: process.env.PATH, HEARTH_APP_CONFIG: config, ...env },
  });
  running.add(child);
  const exited = once(child, 'exit').then(([code]) => {
    running.delete(child);
    return code as number | null;
  });
  for await (const line of createInterface(child.stderr)) {
    const port = /^info: serving port=(\d+)$/.exec(line)?.[1];
    if (port === undefined) continue;
    child.stderr.resume();
    return {
      base: `http://127.0.0.1:${port}`,
      child,
      end(signal) {
        child.kill(signal);
        return exited;
      },
    };
  }
  throw new Error(`${name} ended with ${await exited} before it served`);
}

test('hello says what it runs on, as a page and as JSON', async () => {
  const env = {
    HEARTH_TARGET: 'rpi3',
    HEARTH_SLOT: 'b',
    HEARTH_VERSION: '4.5.6',
    HEARTH_UUID: 'u-7',
    HEARTH_PRODUCT: 'hello',
  };
  const hello = await start('hello', { greeting: 'Hi & <welcome>' }, env);
  const page = await fetch(hello.base);
  expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8');
  const html = await page.text();
  for (const text of ['rpi3', '<td>b', 'hello 4.5.6', 'u-7', process.version, 'Hi &amp; &lt;welcome&gt;'])
    expect(html).toContain(text);
  const health = await (await fetch(`${hello.base}/health`)).json();
  expect(health).toMatchObject({
    ok: true,
    target: 'rpi3',
    slot: 'b',
    version: '4.5.6',
    uuid: 'u-7',
    pid: hello.child.pid,
  });
  expect((await fetch(`${hello.base}/nothing`)).status).toBe(404);
  expect((await fetch(hello.base, { method: 'DELETE' })).status).toBe(405);
  expect((await fetch(`${hello.base}//`)).status).toBe(404);
  expect(await hello.end('SIGTERM')).toBe(0);
});

const add = (base: string, title: string): Promise<Response> =>
  fetch(`${base}/add_entry?list=bob&date=20170120&title=${encodeURIComponent(title)}`, { method: 'POST' });
const entries = async (base: string): Promise<string[]> =>
  (await (await fetch(`${base}/entries?list=bob&date=20170120`)).text())
    .split('\n')
    .filter((line) => line !== '');

const missing = async (base: string, answered: Set<string>): Promise<string[]> => {
  const kept = new Set(await entries(base));
  return [...answered].filter((line) => !kept.has(line));
};

test('todo answers as its README says, and keeps entries over an orderly stop', async () => {
  const data = mkdtempSync(join(folder, 'todo-'));
  let todo = await start('todo', { folder: data });
  expect(await entries(todo.base)).toEqual([]);
  const added = await add(todo.base, 'Fundraiser');
  expect([added.status, await added.text()]).toEqual([200, 'OK\n']);
  expect(await entries(todo.base)).toEqual(['2017-01-20 Fundraiser']);
  const refused = await fetch(`${todo.base}/add_entry?list=bob&date=2017&title=x`, { method: 'POST' });
  expect([refused.status, await refused.text()]).toEqual([
    400,
    "date must be YYYYMMDD, for example 20170120, and is '2017'\n",
  ]);
  expect((await fetch(`${todo.base}/add_entry?list=bob`)).headers.get('allow')).toBe('POST');
  expect(await todo.end('SIGTERM')).toBe(0);
  todo = await start('todo', { folder: data });
  expect(await entries(todo.base)).toEqual(['2017-01-20 Fundraiser']);
});

test('kill -9 under load loses nothing that was answered', async () => {
  const data = mkdtempSync(join(folder, 'todo-'));
  const answered = new Set<string>();
  for (let round = 0; round < 4; round++) {
    const todo = await start('todo', { folder: data });
    expect(await missing(todo.base, answered)).toEqual([]);
    const enough = Promise.withResolvers<void>();
    const writers = Array.from({ length: 8 }, async (_, writer) => {
      try {
        for (let n = 0; ; n++) {
          const title = `${round}-${writer}-${n}`;
          const response = await add(todo.base, title);
          if (response.status === 200) answered.add(`2017-01-20 ${title}`);
          if (n > 10 + round) enough.resolve();
        }
      } catch {
        // The connection is cut by the kill.
      }
    });
    await enough.promise;
    await todo.end('SIGKILL');
    await Promise.all(writers);
  }
  const todo = await start('todo', { folder: data });
  const kept = await entries(todo.base);
  expect(answered.size).toBeGreaterThan(100);
  expect(await missing(todo.base, answered)).toEqual([]);
  expect(new Set(kept).size).toBe(kept.length);
});

// A disk of 64 KiB; mounting it needs root.
test.runIf(process.getuid?.() === 0)(
  'a full disk is answered with 507, stores nothing by halves, and the app goes on',
  async () => {
    const data = mkdtempSync(join(folder, 'full-'));
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=64k', 'none', data]);
    try {
      const todo = await start('todo', { folder: data });
      const answers: number[] = [];
      while (answers.length < 200 && answers.at(-1) !== 507) {
        answers.push((await add(todo.base, `${answers.length} ${'x'.repeat(450)}`)).status);
      }
      expect(answers.slice(-2)).toEqual([200, 507]);
      expect((await add(todo.base, 'again'.repeat(90))).status).toBe(507);
      const stored = answers.filter((status) => status === 200).length;
      expect(await entries(todo.base)).toHaveLength(stored);
      await todo.end('SIGKILL');
      const again = await start('todo', { folder: data });
      expect(await entries(again.base)).toHaveLength(stored);
      await again.end('SIGKILL');
    } finally {
      spawnSync('umount', ['-l', data]);
    }
  },
);
