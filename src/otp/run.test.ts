import { expect, test } from 'vitest';
import type { AppMessage, HearthdMessage } from './channel.ts';
import { createHealth } from './health.ts';
import { createLogger } from './logger/index.ts';
import { type App, beatInterval, runIn } from './run.ts';
import { createStopper } from './stop.ts';

/** An app under a hearthd that only writes down what it is told. */
function launch(app: App) {
  const sent: AppMessage[] = [];
  const lines: string[] = [];
  const exit = Promise.withResolvers<number>();
  const listeners: {
    message?: (m: HearthdMessage, connection?: unknown) => void;
    gone?: () => void;
    SIGTERM?: () => void;
    SIGINT?: () => void;
  } = {};
  const parent = {
    present: true,
    send: (message: AppMessage) => void sent.push(message),
    onMessage: (listener: (m: HearthdMessage, connection?: unknown) => void) => {
      listeners.message = listener;
    },
    onGone: (listener: () => void) => {
      listeners.gone = listener;
    },
  };
  const log = createLogger({
    level: 'debug',
    format: 'text',
    write: (line) => lines.push(line),
    now: () => new Date(),
  });
  const stopper = createStopper(log);
  const health = createHealth(parent);
  const sessions: unknown[] = [];
  runIn(
    {
      parent,
      health,
      stopper,
      log,
      sessions: {
        accept: (connection) => void sessions.push(connection),
        end: (message) => void sessions.push(message),
      },
      stopDeadlineMs: 500,
      beatEveryMs: 5,
      onSignal: (signal, listener) => {
        listeners[signal] = listener;
      },
      exit: exit.resolve,
    },
    app,
  );
  return { sent, lines, exit: exit.promise, listeners, stopper, health, sessions };
}

const settle = () => new Promise((resolve) => setImmediate(resolve));

test('started, then healthy when start has resolved, and beats', async () => {
  const start = Promise.withResolvers<void>();
  const { sent, listeners, exit } = launch({ start: () => start.promise });
  expect(sent).toEqual([{ type: 'started' }]);
  start.resolve();
  await settle();
  expect(sent).toContainEqual({ type: 'health', ok: true });
  while (!sent.some(({ type }) => type === 'beat')) await settle();
  listeners.SIGTERM?.();
  expect(await exit).toBe(0);
});

test('an app that speaks for itself is not declared healthy', async () => {
  const app: { health?: ReturnType<typeof launch>['health'] } = {};
  const launched = launch({
    start: async () => {
      await settle();
      app.health?.fail('no sensor');
    },
  });
  app.health = launched.health;
  await settle();
  await settle();
  launched.listeners.SIGTERM?.();
  await launched.exit;
  expect(launched.sent.filter(({ type }) => type === 'health')).toEqual([
    { type: 'health', ok: false, reason: 'no sensor' },
  ]);
});

test.each([
  [
    'throws',
    () => {
      throw new Error('bad wiring');
    },
  ],
  ['rejects', () => Promise.reject(new Error('bad wiring'))],
])('a start that %s is logged and ends the process with 1', async (_, start) => {
  const { lines, exit, sent } = launch({ start });
  expect(await exit).toBe(1);
  expect(lines.join('')).toContain('bad wiring');
  expect(sent).not.toContainEqual({ type: 'health', ok: true });
});

test.each(['message', 'gone', 'SIGTERM', 'SIGINT'] as const)(
  '%s stops it: its own stop first, then the handlers',
  async (how) => {
    const order: string[] = [];
    const { listeners, stopper, exit } = launch({
      start() {},
      stop: () => {
        order.push('app');
      },
    });
    stopper.onStop(() => {
      order.push('handler');
    });
    if (how === 'message') listeners.message?.({ type: 'stop', deadlineMs: 500 });
    else listeners[how]?.();
    expect(await exit).toBe(0);
    expect(order).toEqual(['app', 'handler']);
  },
);

test('connections become sessions, and sessions hear of the stop first', async () => {
  const { listeners, sessions, exit } = launch({
    start() {},
    stop: () => void sessions.push('stop'),
  });
  listeners.message?.({ type: 'session' }, 'a connection');
  listeners.message?.({ type: 'stop', deadlineMs: 500 });
  await exit;
  expect(sessions).toEqual(['a connection', 'the app stops: hearthd asked', 'stop']);
});

test('a stop that hangs ends with 1 at the deadline', async () => {
  const { listeners, exit } = launch({ start() {}, stop: () => new Promise(() => {}) });
  listeners.message?.({ type: 'stop', deadlineMs: 20 });
  expect(await exit).toBe(1);
});

test('an app that is stopped while it starts is not declared healthy', async () => {
  const start = Promise.withResolvers<void>();
  const { listeners, sent, exit } = launch({ start: () => start.promise });
  listeners.SIGTERM?.();
  start.resolve();
  await exit;
  expect(sent).not.toContainEqual({ type: 'health', ok: true });
});

test('five beats a timeout', () => {
  expect(beatInterval('10000')).toBe(2_000);
  expect(beatInterval('100')).toBe(50);
  expect(beatInterval(undefined)).toBe(2_000);
});
