import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { type Figure, median } from './figure.ts';

const APP = fileURLToPath(new URL('../../firmware/apps/todo/src/app.ts', import.meta.url));
const RUNS = 3;
const CLIENTS = 64;
const ADDS = 10_000;
const READS = 20_000;
const LISTS = 10_000;
/** How long the lists of the memory figure stay when nobody asks for them. */
const IDLE_MS = 10_000;

/** The to-do system as a program of its own, asked by HTTP from this one, which takes its share of the machine too. */
export async function benchTodo(): Promise<Figure[]> {
  const [one, many, reads]: [number[], number[], number[]] = [[], [], []];
  for (let run = 0; run < RUNS; run++) {
    await using(async ({ add, entries }) => {
      one.push(await perSecond(ADDS, (n) => add('bob', `entry ${n}`)));
      many.push(await perSecond(ADDS, (n) => add(`list ${n % 1_000}`, `entry ${n}`)));
      reads.push(await perSecond(READS, (n) => entries(`list ${n % 1_000}`)));
    });
  }
  return [
    figure(`todo: entries stored, ${CLIENTS} clients, one list`, one, '/s'),
    figure(`todo: entries stored, ${CLIENTS} clients, 1,000 lists`, many, '/s'),
    figure(`todo: lists read, ${CLIENTS} clients, 1,000 lists`, reads, '/s'),
    ...(await memory()),
  ];
}

/** What 10,000 lists of one entry take, and what is left of it when all have stopped for idleness. */
async function memory(): Promise<Figure[]> {
  const figures: Figure[] = [];
  await using(async ({ add, child }) => {
    // The first requests make the machine code; garbage must not count as lists.
    await perSecond(2_000, () => add('bob', 'warm'));
    const before = await heap(child);
    await perSecond(LISTS, (n) => add(`list ${n}`, 'an entry'));
    const up = await heap(child);
    await new Promise((resolve) => setTimeout(resolve, IDLE_MS * 1.5));
    const idle = await heap(child);
    figures.push(figure('todo: memory of a list at work', [(up - before) / LISTS], 'bytes'));
    figures.push(figure('todo: memory of a list that is idle', [(idle - before) / LISTS], 'bytes'));
  });
  return figures;
}

interface Todo {
  child: ChildProcess;
  add(list: string, title: string): Promise<void>;
  entries(list: string): Promise<void>;
}

async function using(work: (todo: Todo) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'hearth-bench-todo-'));
  writeFileSync(join(folder, 'config.json'), JSON.stringify({ port: 0, folder, idleMs: IDLE_MS }));
  writeFileSync(join(folder, 'heap.mjs'), HEAP);
  const child = spawn(process.execPath, ['--expose-gc', '--import', join(folder, 'heap.mjs'), APP], {
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    env: { PATH: process.env.PATH, HEARTH_APP_CONFIG: join(folder, 'config.json') },
  });
  const agent = new Agent({ keepAlive: true, maxSockets: CLIENTS });
  try {
    const port = await portOf(child);
    const call = (method: string, path: string): Promise<void> =>
      new Promise((resolve, reject) => {
        request({ port, agent, method, path }, (response) => {
          response.resume().once('end', resolve).once('error', reject);
          if (response.statusCode !== 200)
            reject(new Error(`${method} ${path} was answered ${response.statusCode}`));
        })
          .once('error', reject)
          .end();
      });
    const query = (list: string) => `list=${encodeURIComponent(list)}&date=20170120`;
    await work({
      child,
      add: (list, title) => call('POST', `/add_entry?${query(list)}&title=${encodeURIComponent(title)}`),
      entries: (list) => call('GET', `/entries?${query(list)}`),
    });
  } finally {
    agent.destroy();
    child.kill('SIGKILL');
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
    rmSync(folder, { recursive: true });
  }
}

/** Answers, to whoever started the program, how much lives on its heap. */
const HEAP = `process.on('message', (message) => {
  if (message !== 'heap') return;
  globalThis.gc();
  process.send({ heap: process.memoryUsage().heapUsed });
});
`;

async function heap(child: ChildProcess): Promise<number> {
  const answered = new Promise<number>((resolve) => {
    const listen = (message: { heap?: number }): void => {
      if (message.heap === undefined) return;
      child.off('message', listen);
      resolve(message.heap);
    };
    child.on('message', listen);
  });
  child.send('heap');
  return answered;
}

async function portOf(child: ChildProcess): Promise<number> {
  if (!child.stderr) throw new Error('no standard error');
  for await (const line of createInterface(child.stderr)) {
    const port = /^info: serving port=(\d+)/.exec(line)?.[1];
    if (port === undefined) continue;
    child.stderr.resume();
    return Number(port);
  }
  throw new Error('todo ended before it served');
}

async function perSecond(count: number, work: (n: number) => Promise<void>): Promise<number> {
  const since = performance.now();
  let next = 0;
  const client = async (): Promise<void> => {
    while (next < count) await work(next++);
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
  return (count * 1_000) / (performance.now() - since);
}

function figure(name: string, values: number[], unit: string): Figure {
  return { name, value: Number(median(values).toPrecision(3)), unit, runs: values.length };
}
