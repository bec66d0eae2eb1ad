import { logging } from '../../src/otp/logger/index.ts';
import { openPort } from '../../src/otp/port/port.ts';
import { type Figure, median } from './figure.ts';

const RUNS = 5;
const TRIPS = 10_000;
const AT_ONCE = 100;
const STARTS = 50;

/** Frames of 4 bytes to a program and back: `cat`, which answers as fast as any program can. */
export async function benchOtpPort(): Promise<Figure[]> {
  logging.setLevel('port', 'none');
  const single: number[] = [];
  const concurrent: number[] = [];
  const starts: number[] = [];
  for (let run = 0; run < RUNS; run++) {
    await using(async (trip) => {
      for (let i = 0; i < TRIPS / 10; i++) await trip();
      single.push(
        await perSecond(TRIPS, async () => {
          for (let i = 0; i < TRIPS; i++) await trip();
        }),
      );
      concurrent.push(
        await perSecond(TRIPS, async () => {
          for (let i = 0; i < TRIPS; i += AT_ONCE) await Promise.all(Array.from({ length: AT_ONCE }, trip));
        }),
      );
    });
    starts.push(
      1_000 /
        (await perSecond(STARTS, async () => {
          for (let i = 0; i < STARTS; i++) await (await openPort({ command: 'true' })).ended;
        })),
    );
  }
  logging.resetLevel('port');
  const figure = (name: string, values: number[], unit: string): Figure => ({
    name,
    value: Number(median(values).toPrecision(3)),
    unit,
    runs: RUNS,
  });
  return [
    figure('port round trip, one after the other', single, '/s'),
    figure(`port round trip, ${AT_ONCE} at once`, concurrent, '/s'),
    figure('port started and ended', starts, 'ms'),
  ];
}

async function using(work: (trip: () => Promise<void>) => Promise<void>): Promise<void> {
  const port = await openPort({ command: 'cat', packet: 4 });
  const frame = Buffer.from('ping');
  await work(async () => {
    const sent = port.send(frame);
    const answer = await port.receive();
    await sent;
    if (!answer?.equals(frame)) throw new Error(`${answer} came back`);
  });
  await port.stop();
}

async function perSecond(count: number, work: () => Promise<void>): Promise<number> {
  const since = performance.now();
  await work();
  return (count * 1_000) / (performance.now() - since);
}
