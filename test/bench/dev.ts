import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { developOnDevice, type LoopTime } from '../../src/host/develop-on-device.ts';
import { benchDevice } from './device.ts';
import { type Figure, median } from './figure.ts';

const CHANGES = 5;
/** Between an app that is healthy and the next change: somebody thinks. */
const PAUSE_MS = 5_000;

/** `fw dev`: from a saved file to the new code that is healthy, on an emulated PC, by step. */
export async function benchDev(): Promise<Figure[]> {
  await using device = await benchDevice('hello');
  const source = join(device.app.folder, 'src/app.ts');
  const text = await readFile(source, 'utf8');
  const times: LoopTime[] = [];
  const done = new AbortController();
  await developOnDevice(
    device.link,
    { dir: device.app.folder, signal: done.signal },
    {
      onConnected() {},
      onPushed() {},
      onOutput() {},
      onReport: (message) => console.error(message),
      onState() {},
      onBroken: (error) => done.abort(error),
      onHealthy(time) {
        times.push(time);
        if (times.length > CHANGES) done.abort();
        else
          void setTimeout(PAUSE_MS).then(() =>
            writeFile(source, `${text}logger.info('change ${times.length}');\n`),
          );
      },
    },
  );
  // The first is no change: it is the session's beginning.
  const changes = times.slice(1);
  const figure = (name: string, of: (time: LoopTime) => number, goal?: string): Figure => ({
    ...{ name: `dev: ${name}`, value: median(changes.map(of)), unit: 'ms', runs: changes.length },
    ...(goal && { goal }),
  });
  return [
    figure('saved to healthy', ({ total }) => total, '≤ 3000, aim 1500'),
    figure('of it, until it is bundled', ({ bundle }) => bundle),
    figure('of it, until it is there and the app before has stopped', ({ push }) => push),
    figure('of it, until the new app is healthy', ({ start }) => start),
  ];
}
