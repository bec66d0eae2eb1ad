import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';

// Real processes: what becomes of the last lines is decided between Node, libuv and the kernel.
const folder = mkdtempSync(join(tmpdir(), 'hearth-console-'));
afterAll(() => rmSync(folder, { recursive: true }));

function program(body: string) {
  const file = join(folder, `app-${Math.random()}.mjs`);
  const library = new URL('../index.ts', import.meta.url).href;
  writeFileSync(file, `import { logger, run, start, Server } from ${JSON.stringify(library)};\n${body}`);
  return spawn(process.execPath, ['--disable-warning=ExperimentalWarning', file], {
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
  });
}

const FLOOD = `
  for (let n = 0; n < 20_000; n++) {
    logger.info('flood', { n });
    if (n % 1_000 === 0) logger.error('bad', { n });
  }
  logger.critical('the end');`;

test.each([
  ['that goes on', 'process.send(0); process.once("message", () => process.disconnect());'],
  ['that exits at once', 'process.send(0, () => process.exit(3));'],
])('a reader that stands still costs a program %s neither time nor errors', async (_name, then) => {
  const child = program(`${FLOOD}\n${then}`);
  let text = '';
  child.stderr?.on('data', (data) => {
    text += data;
  });
  child.stderr?.pause();
  const closed = once(child, 'close');
  // It got to here: nothing in it waits for the reader. One that fails before says why below, and is not waited for.
  await Promise.race([once(child, 'message'), once(child, 'exit')]);
  child.stderr?.resume();
  if (child.connected) child.send(0, () => {});
  await closed;
  const lines = text.split('\n').filter((line) => line !== '');
  expect(
    lines.filter((line) => line.startsWith('error: bad')),
    text,
  ).toHaveLength(20);
  expect(lines).toContain('critical: the end');
  const dropped = lines.find((line) => line.startsWith('warning: ')) ?? '';
  expect(dropped).toMatch(/^warning: \d+ log records were dropped: too many at once info=\d+$/);
  const infos = lines.filter((line) => /^info: flood n=\d+$/.test(line)).length;
  // One line was on its way when the process ended.
  expect(infos + Number(/info=(\d+)/.exec(dropped)?.[1])).toBeGreaterThanOrEqual(19_999);
});

test('a reader that is gone ends nothing', async () => {
  const child = program(`
    process.once('message', () => {
      for (let n = 0; n < 100; n++) logger.info('unheard');
      setTimeout(() => process.exit(5), 50);
    });
    process.send(0);`);
  expect(await Promise.race([once(child, 'message'), once(child, 'exit')])).toEqual([0, undefined]);
  child.stderr?.destroy();
  child.send(0);
  expect(await once(child, 'exit')).toEqual([5, null]);
});
