import { expect, test } from 'vitest';
import { firmware, flashed } from '../../update/test-machine.ts';
import { SimulatedDisk } from '../../update/test-simulated-disk.ts';
import { DeviceIdentity } from '../identity.ts';
import { createDataService } from './service.ts';

const NO_DATA = { disk: '/dev/none', data: undefined, table: 'gpt' } as const;

test('it is under way as soon as the first program runs, and when there is none to run', async () => {
  const disk = new SimulatedDisk(await flashed('gpt', await firmware(1)));
  const mounting = Promise.withResolvers<string>();
  const effects = { say: () => {}, onSlow: () => {} };
  const service = createDataService(NO_DATA, 5, {
    ...effects,
    identity: new DeviceIdentity(async () => disk, 'pi-17'),
    exec: (program) => {
      mounting.resolve(program);
      return new Promise(() => {});
    },
  });
  void service.prepare();
  await service.underWay;
  expect(await mounting.promise).toBe('mount');

  const failing = createDataService(NO_DATA, 5, {
    ...effects,
    identity: new DeviceIdentity(() => Promise.reject(new Error('no disk')), 'pi-17'),
    exec: () => new Promise(() => {}),
  });
  void failing.prepare().catch(() => {});
  await failing.underWay;
});
