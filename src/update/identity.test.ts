import { expect, test } from 'vitest';
import { type Identity, IdentityStore } from './identity.ts';
import { IDENTITY, MiB } from './layout.ts';
import { Pages } from './pages.ts';
import { SimulatedDisk } from './test-simulated-disk.ts';

const identity = (serial: string): Identity => ({ serial, operatorKeys: ['ssh-ed25519 AAAA me'] });
const disk = (): SimulatedDisk => new SimulatedDisk(new Pages(16 * MiB));

test('an empty disk has none; what is written is there, in one copy after the other', async () => {
  const on = disk();
  const store = await IdentityStore.open(on);
  expect(store.identity).toBeUndefined();
  for (const serial of ['one', 'two', 'three']) {
    await store.write({ ...identity(serial), hostKey: 'AAAA' });
    expect((await IdentityStore.open(on)).identity).toEqual({ ...identity(serial), hostKey: 'AAAA' });
  }
  const places = on.log.flatMap((event) => (event.type === 'write' ? [event.offset] : []));
  expect(places).toEqual([IDENTITY.offsets[0], IDENTITY.offsets[1], IDENTITY.offsets[0]]);
  expect(on.log.at(-1)).toEqual({ type: 'flush' });
});

test('one copy that is torn, at any byte, leaves the one before it', async () => {
  const before = disk();
  const store = await IdentityStore.open(before);
  await store.write(identity('first'));
  await store.write(identity('the second'));
  const old = before.pages.copy();
  await store.write(identity('and the third'));
  const [offset] = IDENTITY.offsets;
  const whole = before.pages.read(offset, IDENTITY.size);
  const end = whole.lastIndexOf('}'.charCodeAt(0)) + 1;
  for (let cut = 0; cut < end; cut++) {
    const torn = old.copy();
    torn.write(offset, whole.subarray(0, cut));
    const found = (await IdentityStore.open(new SimulatedDisk(torn))).identity?.serial;
    // As long as nothing has changed, it is still the first one: the other copy is newer than that.
    expect(found).toBe('the second');
  }
});

test('fields of a later version stay, also when an older one writes', async () => {
  const on = disk();
  const later = { ...identity('s'), networks: [{ ssid: 'home' }] };
  await (await IdentityStore.open(on)).write(later);
  const store = await IdentityStore.open(on);
  if (store.identity) await store.write({ ...store.identity, hostname: 'kitchen' });
  expect((await IdentityStore.open(on)).identity).toEqual({ ...later, hostname: 'kitchen' });
});

test.each([
  'null',
  '[]',
  '{}',
  '{"serial":1}',
  '{"serial":"s","hostname":7}',
  '{"serial":"s","operatorKeys":"ssh-ed25519 AAAA"}',
  '{"serial":"s","operatorKeys":[1]}',
  '{"serial":"s","forgetData":"yes"}',
])('%s is nobody’s identity', async (json) => {
  const on = disk();
  const store = await IdentityStore.open(on);
  await store.write(JSON.parse(json));
  expect((await IdentityStore.open(on)).identity).toBeUndefined();
});

test('of a device that nobody has let in yet, there are no keys', async () => {
  const on = disk();
  await (await IdentityStore.open(on)).write(JSON.parse('{"serial":"s"}'));
  expect((await IdentityStore.open(on)).identity).toEqual({ serial: 's', operatorKeys: [] });
});
