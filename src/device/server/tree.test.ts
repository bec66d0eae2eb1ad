import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { named } from '../../otp/index.ts';
import { supervisedApp } from '../../otp/supervisor/supervised-app.ts';
import type { AppState } from '../app/runner.ts';
import type { AppEffects } from './app.ts';
import type { ControlSocket } from './control-socket.ts';
import { serverTree } from './tree.ts';

/** What an app says to hearthd, in a Node without the library. */
const HEALTHY = "process.send({ type: 'started' }); process.send({ type: 'health', ok: true });";
const SESSIONS =
  "process.on('message', (m, socket) => socket ? socket.end('from the app') : process.exit());";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'hearth-tree-'));
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }));
});

function build(program: string, onState: AppEffects['onState'] = () => {}) {
  const children: ChildProcess[] = [];
  const said: string[] = [];
  const { promise: healthy, resolve } = Promise.withResolvers<void>();
  const control = join(dir, 'a.sock');
  const app = supervisedApp(
    serverTree(
      {
        app: {
          beatTimeoutMs: 60_000,
          startTimeoutMs: 60_000,
          stopTimeoutMs: 5_000,
          maxRestarts: 0,
          restartWindowMs: 60_000,
        },
        control,
      },
      {
        spawn: () => {
          const child = spawn(process.execPath, ['-e', program], {
            stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
            detached: true,
          });
          children.push(child);
          return child;
        },
        killAll: (pid) => {
          try {
            process.kill(-pid, 'SIGKILL');
          } catch {
            // Ended already.
          }
        },
        now: () => performance.now(),
        onState: (state: AppState) => {
          if (state.name === 'healthy') resolve();
          onState(state);
        },
        onOutput: () => {},
        say: (message) => said.push(message),
      },
    ),
  );
  onTestFinished(() => {
    for (const child of children) child.kill('SIGKILL');
  });
  return { ...app, children, said, healthy, control };
}

/** What comes over a connection to the control socket. */
async function connect(path: string): Promise<string> {
  const socket = createConnection(path);
  let got = '';
  socket.on('data', (bytes) => {
    got += bytes;
  });
  await once(socket, 'close');
  return got;
}

test('a connection becomes the app’s; a control socket that crashed is there again; stop ends all of it', async () => {
  const { start, stop, ended, healthy, children, control } = build(HEALTHY + SESSIONS);
  await start();
  await healthy;
  expect(await connect(control)).toBe('from the app');
  const before = named<ControlSocket>('control socket');
  const old = before.find();
  old?.exit(new Error('broken'));
  while (before.find() === old || !existsSync(control)) await new Promise((done) => setImmediate(done));
  expect(await connect(control)).toBe('from the app');
  // The app never noticed.
  expect(children).toHaveLength(1);
  await stop();
  expect(await ended()).toBeUndefined();
  expect(children[0]?.exitCode).toBe(0);
  expect(existsSync(control)).toBe(false);
});

test('an app that has failed for good ends the tree in order: that is no failure of hearthd', async () => {
  const states: string[] = [];
  const { start, ended, said } = build('process.exit(3)', ({ name }) => states.push(name));
  await start();
  expect(await ended()).toBeUndefined();
  expect(states).toEqual(['starting', 'failed', 'stopped']);
  expect(said).toEqual(['the app exited with 3 while it was being imported, before run()']);
});

test('a part of hearthd that fails again and again is given up, and leaves no app behind', async () => {
  const { start, ended, children } = build(HEALTHY + SESSIONS, ({ name }) => {
    if (name === 'healthy') throw new Error('a mistake in hearthd');
  });
  await start();
  const error = await ended();
  expect(error?.message).toContain("the supervisor 'hearthd' gave up");
  expect(error?.message).toContain('a mistake in hearthd');
  expect(children.length).toBeGreaterThan(1);
  for (const child of children) expect(child.signalCode).toBe('SIGKILL');
});
