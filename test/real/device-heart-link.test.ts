import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Duplex } from 'node:stream';
import { afterEach, expect, test } from 'vitest';

// hearthd's end in a process of its own, heart's end of the socket pair here: Node makes 'pipe' a socket pair, too.
const link = new URL('../../src/device/heart-link.ts', import.meta.url).href;
const BEAT = Buffer.from([0, 1, 2]);
const TIMEOUT_S = 1;

let child: ReturnType<typeof spawn> | undefined;
afterEach(() => {
  child?.kill('SIGKILL');
});

function hearthd(afterConnect: string): { heart: Duplex; child: ReturnType<typeof spawn> } {
  const code = `
    import { connectHeart } from ${JSON.stringify(link)};
    connectHeart(3, ${TIMEOUT_S}, (why) => console.log('lost', why));
    setInterval(() => {}, 1000);
    ${afterConnect}`;
  child = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', '--input-type=module', '-e', code],
    {
      stdio: ['ignore', 'pipe', 'inherit', 'pipe'],
    },
  );
  return { heart: child.stdio[3] as Duplex, child };
}

test('the first beat comes at once, then five a timeout, and nothing else', async () => {
  const { heart } = hearthd('');
  heart.write(Buffer.from([0, 1, 1]));
  const chunks: Buffer[] = [];
  const times: number[] = [];
  for await (const chunk of heart) {
    chunks.push(chunk);
    times.push(performance.now());
    if (times.length === 6) break;
  }
  expect(Buffer.concat(chunks)).toEqual(Buffer.concat(chunks.map(() => BEAT)));
  const all = (times.at(-1) ?? 0) - (times[0] ?? 0);
  expect(all / 5).toBeGreaterThan(100);
  expect(all / 5).toBeLessThan(400);
});

test('an event loop that stands still does not beat (S7)', async () => {
  const { heart } = hearthd('setTimeout(() => { for (;;); }, 500);');
  let beats = 0;
  heart.on('data', () => beats++);
  const started = performance.now();
  await once(heart, 'data');
  // Until long after the hang has begun.
  await new Promise((resolve) => setTimeout(resolve, 2_000 - (performance.now() - started)));
  const before = beats;
  await new Promise((resolve) => setTimeout(resolve, TIMEOUT_S * 1_000));
  expect(before).toBeLessThan(6);
  expect(beats).toBe(before);
});

test('a heart that does not read costs no memory, and one that is gone is reported', async () => {
  const { heart, child } = hearthd('');
  heart.destroy();
  const [text] = await once(child.stdout ?? expect.unreachable(), 'data');
  expect(String(text)).toMatch(/^lost /);
});
