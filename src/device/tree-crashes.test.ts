import { readdirSync, readFileSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { DataState } from '../otp/device.ts';
import { named, type Server } from '../otp/index.ts';
import type { AppState } from './app/runner.ts';
import type { Data } from './data/server.ts';
import { commandLine, HEART, NAMES, TestHearthd, until } from './test-hearthd.ts';

let box: TestHearthd;
beforeEach(async () => {
  box = await TestHearthd.make();
});
afterEach(() => box.end());

test.each<[name: string, alsoRestarts: string[]]>([
  ['data', []],
  ['dhcp', ['dhcp eth0', 'network']],
  ['dhcp eth0', []],
  ['network', []],
  ['devices', ['hot-plug']],
  ['hot-plug', []],
  ['update', []],
  ['ssh', []],
  ['mdns', []],
  ['control socket', []],
  ['status', []],
  ['data watch', []],
])('%s is killed: what restarts is that and %j, and the app and the lease stay', async (name, others) => {
  await box.start();
  await box.settled();
  const [before, app, client] = [box.ids(), box.running(), box.udhcpc()];
  named<Server>(name).exit('kill');
  await until(() => {
    const after = box.ids();
    expect(NAMES.filter((each) => after.get(each) === undefined)).toEqual([]);
    expect(NAMES.filter((each) => after.get(each) !== before.get(each)).sort()).toEqual(
      [name, ...others].sort(),
    );
  });
  expect([box.running(), box.udhcpc()]).toEqual([app, client]);
  expect(box.happened).not.toContain('release');
  expect(box.said).toContainEqual(expect.stringContaining('child_terminated: killed'));
});

test('a client that is there already is waited for, and no second one is started', async () => {
  await box.start();
  await box.settled();
  const client = box.udhcpc();
  named<Server>('dhcp eth0').exit('kill');
  await until(() => {
    const commands = readdirSync('/proc').map(commandLine);
    expect(commands).toContainEqual([HEART, 'wait', String(client), '']);
  });
  expect(readFileSync(box.path('clients'), 'utf8')).toBe(`${client}\n`);
});

test("the app's server is killed: its process goes with it, and one other comes", async () => {
  await box.start();
  await box.settled();
  const [before, [app]] = [box.ids(), box.running()];
  named<Server>('app').exit('kill');
  await until(() => {
    expect(box.running()).toHaveLength(1);
    expect(box.running()).not.toContain(app);
    expect(box.states.at(-1)).toEqual({ name: 'healthy', pid: box.running()[0] });
  });
  const after = box.ids();
  expect(NAMES.filter((each) => after.get(each) !== before.get(each))).toEqual(['app']);
  expect(box.apps).toHaveLength(2);
});

test.each<[NodeJS.Signals, AppState['name']]>([
  ['SIGKILL', 'waiting'],
  ['SIGUSR1', 'unhealthy'],
])(
  "the app's server crashes on the app's %s (%s): one other app comes, and none stays",
  async (signal, at) => {
    let crash = true;
    await box.start({
      onState({ name }) {
        if (name !== at || !crash) return;
        crash = false;
        throw new TypeError('a bug of ours');
      },
    });
    await box.settled();
    const [app = 0] = box.running();
    process.kill(app, signal);
    await until(() => {
      expect(box.running()).toHaveLength(1);
      expect(box.running()).not.toContain(app);
      expect(box.states.at(-1)).toEqual({ name: 'healthy', pid: box.running()[0] });
    });
    expect(box.apps).toHaveLength(2);
    expect(box.said).toContainEqual(expect.stringMatching(/app crashed: TypeError: a bug of ours/));
  },
);

test('a service that is started anew while the disk is repaired waits for that same repair', async () => {
  const { promise: repaired, resolve } = Promise.withResolvers<DataState>();
  await box.start({ prepare: () => repaired });
  const { id } = named<Server>('data').process();
  named<Server>('data').exit('kill');
  await until(() => expect(named<Server>('data').find()?.id).toBeGreaterThan(id));
  // Its task is on its way when it answers.
  await named<Data>('data').call('state');
  await setImmediate();
  resolve('persistent');
  await box.settled();
  expect(box.happened.filter((each) => each === 'prepare')).toHaveLength(1);
});

test('a crash while the disk grows leaves /data mounted, and the app alone', async () => {
  let crash = true;
  await box.start({
    async grow() {
      if (!crash) return;
      crash = false;
      throw new TypeError('a bug of ours');
    },
  });
  await box.settled();
  await until(() => expect(box.happened.filter((each) => each === 'grow')).toHaveLength(2));
  expect(box.happened).not.toContain('release');
  expect(box.apps).toHaveLength(1);
});

test('the listener is killed: it is started again, and what came meanwhile is looked for', async () => {
  await box.start();
  await box.settled();
  const before = box.ids();
  const looked = box.happened.filter((each) => each.startsWith('find ')).length;
  process.kill(Number(readFileSync(box.path('tail.pid'), 'utf8')), 'SIGKILL');
  await until(() => expect(box.ids().get('hot-plug')).toBeGreaterThan(before.get('hot-plug') ?? 0));
  box.uevent({ ACTION: 'add', DEVPATH: '/devices/x', SUBSYSTEM: 'x' });
  await until(() =>
    expect(box.happened.filter((each) => each.startsWith('find ')).length).toBeGreaterThan(looked),
  );
  expect(NAMES.filter((each) => box.ids().get(each) !== before.get(each))).toEqual(['hot-plug']);
  expect(box.said).toContainEqual(expect.stringContaining('hot-plug: sh ended by SIGKILL'));
});

test('what keeps crashing ends hearthd, with one reason, and /data is released', async () => {
  await box.start();
  await box.settled();
  const ended = box.tree.ended();
  for (let round = 0; round <= 5; round++) {
    const id = await until(() => {
      const process = named<Server>('status').process();
      process.kill('killed');
      return process.id;
    });
    expect(id).toBeGreaterThan(0);
  }
  expect(String(await ended)).toMatch(
    /'hearthd' gave up restarting its children; 'status' had ended: killed/,
  );
  expect(box.happened.at(-1)).toBe('release');
  expect(box.running()).toEqual([]);
});
