import { expect, test, vi } from 'vitest';
import { createConsole } from './console.ts';

function setUp(take: (bytes: Uint8Array) => number = (bytes) => bytes.length) {
  let written = '';
  let time = 0;
  const console = createConsole(
    {
      write(bytes) {
        const taken = take(bytes);
        written += Buffer.from(bytes.subarray(0, taken)).toString();
        return taken;
      },
    },
    () => time,
  );
  return { console, written: () => written, pass: (ms: number) => (time += ms) };
}

test("hearthd's lines and the app's", () => {
  const { console, written } = setUp();
  console.say('up');
  console.app('hi\tthere');
  expect(written()).toBe('[hearth] up\napp: hi\tthere\n');
});

test('binary output cannot drive the terminal, and a long line is cut (R4)', () => {
  const { console, written } = setUp();
  console.app('\u001b[2J\u0000\r');
  expect(written()).toBe('app: ·[2J··\n');
  console.app('x'.repeat(100_000));
  expect(written().length).toBeLessThan(1_200);
});

test('a flood is cut off and counted; hearthd is heard through it (R4)', () => {
  const { console, written, pass } = setUp();
  for (let i = 0; i < 100_000; i++) console.app(`line ${i} ${'.'.repeat(90)}`);
  expect(written().length).toBeLessThan(20_000);
  console.say('still here');
  expect(written()).toMatch(/\[hearth\] still here\n$/);
  pass(5_000);
  console.app('later');
  expect(written()).toMatch(/the app wrote too fast: 99\d\d\d lines left out\napp: later\n$/);
});

test('a console that takes no bytes never blocks; what it missed is counted', () => {
  vi.useFakeTimers();
  try {
    let open = false;
    const { console, written } = setUp((bytes) => (open ? Math.min(7, bytes.length) : 0));
    for (let i = 0; i < 2_000; i++) console.say(`line ${i} ${'.'.repeat(90)}`);
    expect(written()).toBe('');
    open = true;
    vi.advanceTimersByTime(50);
    expect(written()).toMatch(/^\[hearth\] line 0 /);
    expect(written()).toMatch(/the console was too slow: 18\d\d lines lost\n$/);
  } finally {
    vi.useRealTimers();
  }
});
