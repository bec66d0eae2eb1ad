import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { generateKey } from '../archive/index.ts';
import type { DataState } from '../otp/device.ts';
import { named, type Server } from '../otp/index.ts';
import { FRAME } from '../otp/remote/frame.ts';
import { parseStatus } from './api/status.ts';
import type { AppServer } from './app/server.ts';
import { DeviceIdentity } from './identity.ts';
import { commandLine, TestHearthd, until } from './test-hearthd.ts';

let box: TestHearthd;
beforeEach(async () => {
  box = await TestHearthd.make();
});
afterEach(() => box.end());

test('everything comes up: the app first, then what is slow; the disk grows last', async () => {
  await box.start();
  await box.settled();
  expect(box.happened[0]).toBe('prepare');
  expect(box.happened[1]).toBe('app with persistent data');
  expect(box.happened.findIndex((each) => each.startsWith('find '))).toBeGreaterThan(1);
  expect(box.happened.indexOf('grow')).toBeGreaterThan(2);
  expect(readFileSync(box.path('hostname'), 'utf8')).toBe('box');
  writeFileSync(box.path('net/eth0.lease'), 'EVENT=bound\nADDRESS=10.0.0.5/24\nROUTER=\nDNS=\n');
  await until(() =>
    expect(JSON.parse(readFileSync(box.path('status.json'), 'utf8'))).toMatchObject({
      app: { name: 'healthy', pid: box.running()[0] },
      data: 'persistent',
      network: { eth0: { address: '10.0.0.5/24' } },
    }),
  );
});

test('a device that was given a name has it from its first question for an address on', async () => {
  await new DeviceIdentity(async () => box.disk, 'pi-17').change((before) => ({
    ...before,
    hostname: 'kitchen',
  }));
  await box.start();
  await box.settled();
  expect(commandLine(String(box.udhcpc()))).toContain('hostname:kitchen');
  expect(readFileSync(box.path('hostname'), 'utf8')).toBe('kitchen');
  expect(await box.value('hostname shed --json')).toEqual({
    hostname: 'shed',
    serial: 'pi-17',
    from: 'device',
  });
  await until(() => expect(readFileSync(box.path('hostname'), 'utf8')).toBe('shed'));
  expect(await box.value('status --json')).toMatchObject({ hostname: 'shed', serial: 'pi-17' });
});

test('who is let in is told to the daemon when the answer comes: there is one from then on', async () => {
  await box.start();
  await box.settled();
  expect(existsSync(box.path('ssh/authorized_keys'))).toBe(false);
  const line = generateKey('me').publicKey.trim();
  expect(await box.value(`key add ${line} --json`)).toEqual({ added: true });
  expect(readFileSync(box.path('ssh/authorized_keys'), 'utf8')).toBe(`${line}\n`);
  expect(readFileSync(box.path('ssh/host_key'), 'utf8')).toBe('a host key');
});

test('the app is started anew in good order when it is told so, and whoever looks on sees it', async () => {
  const seen: string[] = [];
  await box.start();
  await box.settled();
  const leave = box.onlookers.add({
    output: () => {},
    report: () => {},
    state: ({ name }) => void seen.push(name),
  });
  await named<AppServer>('app').call('startAnew');
  await until(() => expect(seen).toEqual(['stopping', 'stopped', 'starting', 'healthy']));
  expect(box.apps.map(({ exitCode }) => exitCode)).toEqual([0, null]);
  leave();
  box.apps[1]?.kill('SIGKILL');
  await until(() => expect(box.states.at(-1)).toMatchObject({ name: 'healthy', pid: box.apps[2]?.pid }));
  expect(seen).toHaveLength(4);
});

test('once an app was started anew, the next process is held ready beside the one that runs, and goes with hearthd', async () => {
  await box.start();
  await box.settled();
  expect(box.asides).toEqual([]);
  await named<AppServer>('app').call('startAnew');
  await until(() => expect(box.asides).toHaveLength(1));
  // The end of the one that runs is not its end: it is the next one.
  await named<AppServer>('app').call('startAnew');
  await until(() => expect(box.states.at(-1)).toMatchObject({ name: 'healthy', pid: box.asides[0]?.pid }));
  await until(() => expect(box.asides).toHaveLength(2));
  expect(box.apps).toHaveLength(3);
  const waiting = box.asides[1];
  await box.tree.stop();
  await until(() => expect(waiting?.signalCode).toBe('SIGKILL'));
});

test('a session on the control socket asks the whole device, and its status is the last thing it hears', async () => {
  await box.start();
  await box.settled();
  const frames = await box.ask('status --json');
  expect(frames.map(({ type }) => type)).toEqual([FRAME.ready, FRAME.output, FRAME.exit]);
  expect(frames[2]?.payload).toEqual(Buffer.of(0));
  expect(parseStatus(String(frames[1]?.payload))).toMatchObject({
    ...{ product: 'hello', slot: 'a', state: 'idle', data: 'persistent', resetCause: 'unknown' },
    slots: { a: { version: '1.0.0', validated: true } },
    app: { name: 'healthy', pid: box.running()[0] },
  });
});

test('while /data is repaired the network does not wait, and the app does', async () => {
  const { promise: repaired, resolve } = Promise.withResolvers<DataState>();
  await box.start({
    prepare(onSlow) {
      onSlow();
      return repaired;
    },
  });
  await until(() => expect(box.udhcpc()).toBeGreaterThan(1));
  expect(box.happened).not.toContainEqual(expect.stringMatching(/^app with/));
  resolve('read-only');
  await box.settled();
  expect(box.happened).toContain('app with read-only data');
});

test('the mount of /data is under way before the other services start', async () => {
  const { promise: underWay, resolve } = Promise.withResolvers<void>();
  const started = box.start({ underWay });
  await until(() => expect(box.happened).toContain('prepare'));
  expect(named('network').alive).toBe(false);
  resolve();
  await started;
  expect(named('network').alive).toBe(true);
  await box.settled();
});

test('modules of what is plugged in are loaded together', async () => {
  await box.start();
  await box.settled();
  const device = { ACTION: 'add', DEVPATH: '/devices/usb', SUBSYSTEM: 'usb' };
  box.uevent({ ...device, MODALIAS: 'usb:one' });
  box.uevent({ ...device, MODALIAS: 'usb:two' });
  await until(() => expect(box.happened).toContain('modprobe -abq usb:one usb:two'));
});

test('an interface that is unplugged loses its client and its files', async () => {
  await box.start();
  await box.settled();
  const client = box.udhcpc() ?? 0;
  rmSync(box.path('sys/class/net/eth0'), { recursive: true });
  box.uevent({ ACTION: 'remove', DEVPATH: '/devices/net/eth0', SUBSYSTEM: 'net' });
  await until(() => {
    expect(box.happened).toContain('/udhcpc.script gone');
    expect(() => process.kill(client, 0)).toThrow('ESRCH');
  });
  expect(named<Server>('dhcp eth0').alive).toBe(false);
  rmSync(box.path('net/eth0.pid'));
});

test('the way down: the app in its own order, then /data', async () => {
  await box.start();
  await box.settled();
  await box.tree.stop();
  expect(box.states.slice(-2).map(({ name }) => name)).toEqual(['stopping', 'stopped']);
  expect(box.apps[0]?.exitCode).toBe(0);
  expect(box.happened.at(-1)).toBe('release');
  expect(box.udhcpc()).toBeGreaterThan(1);
});
