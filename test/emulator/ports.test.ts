import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { writeImage } from '../../src/build/image.ts';
import type { Machine } from '../../src/host/machine.ts';
import { buildApp, temporaryFolder } from '../firmware.ts';
import { Bench } from './harness.ts';

const BOOT = { timeoutMs: 240_000 };
const RECOVERY = { timeoutMs: 120_000 };
const WEB = 8080;
const BEAT_TIMEOUT_MS = 6_000;

/** An app of ports, a pool of them, and a server in a thread; each path of its web server is one question to them. */
const APP = String.raw`
import { createServer } from 'node:http';
import { threadId } from 'node:worker_threads';
import { CallError, child, named, namedPool, namedSupervisor, PortExitError, pool, port, type Program, run, Server, supervisor, workerServer } from 'hearthfw';

export class Sums extends Server {
  spin(ms: number): number {
    const end = performance.now() + ms;
    while (performance.now() < end);
    return threadId;
  }
}
const sums = workerServer(Sums, import.meta.url);

const EATER = 'while read x; do case $x in eat) dd if=/dev/zero of=/dev/null bs=128M count=1;; *) echo $x;; esac; done';
const DEAF = 'trap "" TERM; sh -c "trap \"\" TERM; while :; do sleep 1; done" & setsid sleep 100000 & while :; do sleep 1; done';
const sh = (code: string) => ({ command: 'sh', args: ['-c', code] });
const line = true as const;

const questions: Record<string, (value: string) => unknown> = {
  '/echo': async (size) => {
    const frame = Buffer.alloc(Number(size), 'hearth');
    return frame.equals((await named<Program>('echo').within(60_000).call('request', frame, 60_000)) ?? Buffer.of());
  },
  '/eat': async (word) => {
    try {
      return await named<Program<string>>('eater').within(60_000).call('request', word, 60_000);
    } catch (error) {
      if (!(error instanceof CallError && error.reason instanceof PortExitError)) throw error;
      const { signal, outOfMemory, message } = error.reason;
      return { signal, outOfMemory, message };
    }
  },
  '/pid': (name) => named<Program>(name).call('pid'),
  '/stop': (id) => namedSupervisor('top').terminateChild(id),
  '/start': async (id) => String(await namedSupervisor('top').restartChild(id)),
  '/spin': (ms) => named<Sums>('sums').within(60_000).call('spin', Number(ms)),
  '/pool': (words) =>
    Promise.all(words.split(',').map((word) =>
      namedPool<Program<string>>('pool').run(async (worker) => await worker.call('request', word), { timeoutMs: 30_000 }))),
};

class Web extends Server {
  override async init(): Promise<void> {
    const server = createServer(async (request, response) => {
      const { pathname, searchParams } = new URL(request.url ?? '/', 'http://device');
      try {
        response.end(JSON.stringify((await questions[pathname]?.(searchParams.get('of') ?? '')) ?? process.pid));
      } catch (error) {
        response.writeHead(500).end(String(error));
      }
    });
    await new Promise<void>((resolve) => server.listen(${WEB}, resolve));
  }
}

run(supervisor({
  name: 'top',
  maxRestarts: 5,
  children: [
    port({ name: 'echo', command: 'cat', packet: 4 }),
    port({ name: 'eater', ...sh(EATER), line, limits: { memoryBytes: 32 << 20, processes: 10 } }),
    port({ name: 'deaf', ...sh(DEAF), stop: { closeMs: 100, termMs: 300 } }),
    sums.child({ name: 'sums' }),
    pool({ name: 'pool', size: 2, worker: port({ ...sh('while read x; do usleep 200000; echo "$$ $x"; done'), line }) }),
    child(Web),
  ],
}));
`;

describe('ports on a device (x86_64)', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let bench: Bench;
  let machine: Machine;

  const ask = async <T>(path: string): Promise<T> => {
    const response = await fetch(`http://127.0.0.1:${machine.portOf(WEB)}${path}`);
    const text = await response.text();
    if (!response.ok) throw new Error(text);
    return JSON.parse(text) as T;
  };
  /** Those in cgroups, as soon as there are so many: a program that has just been started has yet to start its own. */
  const pidsOf = async (cgroups: string, atLeast: number): Promise<number[]> => {
    const list = `cat /sys/fs/cgroup${cgroups}/cgroup.procs`;
    const enough = `until [ $(${list} | wc -l) -ge ${atLeast} ]; do usleep 100000; done`;
    return (await machine.shell.text(`${enough}; ${list}`, RECOVERY)).split('\n').map(Number);
  };
  const cgroupOf = (pid: number): Promise<string> =>
    machine.shell.text(`sed -n 's/^0:://p' /proc/${pid}/cgroup`);
  const living = async (pids: readonly number[]): Promise<string> =>
    (await machine.shell.run(`for pid in ${pids.join(' ')}; do cat /proc/$pid/stat 2>/dev/null; done; true`))
      .output;

  beforeAll(async () => {
    folder = await temporaryFolder();
    const app = { entry: './src/app.ts', beatTimeoutMs: BEAT_TIMEOUT_MS };
    const firmware = await buildApp(APP, 'x86_64', folder.path, { app });
    const image = `${folder.path}/ports.img`;
    await writeImage(firmware.path, image, { size: 1024 ** 3 });
    bench = await Bench.open({ emulator: 'q35', image, ports: [WEB] });
    machine = await bench.start();
    await machine.console.waitFor(/\[hearth\] ready /, BOOT);
  });
  afterAll(async () => {
    await bench?.close();
    await folder[Symbol.asyncDispose]();
  });

  test('frames of four bytes of length go through a program and back', async () => {
    expect(await ask('/echo?of=5')).toBe(true);
    expect(await ask('/echo?of=300000')).toBe(true);
  });

  test('the app and each port have a cgroup of their own, side by side, below the limits of the app', async () => {
    const app = await ask<number>('/');
    const echo = await ask<number>('/pid?of=echo');
    expect(await cgroupOf(app)).toBe('/app/main');
    expect(await cgroupOf(echo)).toMatch(new RegExp(`^/app/hearth-port-${app}-0-\\d+$`));
    expect(await machine.shell.text('cat /sys/fs/cgroup/app/memory.max')).toMatch(/^\d+$/);
    // Its own limits the app cannot lift.
    const lift = 'heart exec --user app -- sh -c "echo max >/sys/fs/cgroup/app/memory.max"';
    expect((await machine.shell.run(lift)).status).not.toBe(0);
  });

  test('a port that takes more memory than it may dies as a whole, alone, and is started anew', async () => {
    const app = await ask<number>('/');
    expect(await ask('/eat?of=bread')).toBe('bread');
    const before = await ask<number>('/pid?of=eater');
    expect(await ask('/eat?of=eat')).toMatchObject({
      signal: 'SIGKILL',
      outOfMemory: true,
      message: 'sh ended by SIGKILL, out of memory',
    });
    expect(await ask('/eat?of=bread')).toBe('bread');
    expect(await ask('/pid?of=eater')).not.toBe(before);
    expect(await ask('/')).toBe(app);
  });

  test('one that is deaf to SIGTERM is stopped all the same, with what has left its group', async () => {
    const cgroup = await cgroupOf(await ask<number>('/pid?of=deaf'));
    // Two shells, the sleep of each, and the sleeper of another session.
    const pids = await pidsOf(cgroup, 5);
    const sleepers =
      'for pid in $(pidof sleep); do grep -q 100000 /proc/$pid/cmdline && echo $pid; done; true';
    expect(pids).toContain(Number(await machine.shell.text(sleepers)));
    await ask('/stop?of=deaf');
    expect(await living(pids)).toBe('');
    await machine.shell.text(`while [ -d /sys/fs/cgroup${cgroup} ]; do usleep 100000; done`, RECOVERY);
  });

  test('a pool of ports: two programs for six questions, and one that is killed is replaced', async () => {
    const pool = async (words: string) =>
      (await ask<string[]>(`/pool?of=${words}`)).map((answer) => answer.split(' ') as [string, string]);
    const answers = await pool('a,b,c,d,e,f');
    expect(answers.map(([, word]) => word)).toEqual(['a', 'b', 'c', 'd', 'e', 'f']);
    const pids = new Set(answers.map(([pid]) => pid));
    expect(pids.size).toBe(2);
    const [killed] = pids;
    await machine.shell.text(`kill -9 ${killed}; while [ -d /proc/${killed} ]; do usleep 50000; done`);
    const later = await pool('g,h,i,j');
    expect(later.map(([, word]) => word)).toEqual(['g', 'h', 'i', 'j']);
    expect(later.map(([pid]) => pid)).not.toContain(killed);
  });

  test('a thread that computes for longer than the beat may be late holds nobody up', async () => {
    const app = await ask<number>('/');
    let done = false;
    const spinning = ask<number>(`/spin?of=${BEAT_TIMEOUT_MS + 2_000}`).finally(() => {
      done = true;
    });
    let answered = 0;
    while (!done) {
      expect(await ask('/')).toBe(app);
      answered++;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    expect(await spinning).toBeGreaterThan(0);
    expect(answered).toBeGreaterThan(10);
  });

  test('after kill -9 of the app nothing of its ports is left, and no zombie', async () => {
    const app = await ask<number>('/');
    await ask('/start?of=deaf');
    // The echo, the eater, two of the pool, and five of the deaf one.
    const pids = await pidsOf('/app/hearth-port-*', 9);
    await machine.shell.text(`kill -9 ${app}`);
    await machine.console.waitFor(/\[hearth\] the app is healthy again/, RECOVERY);
    expect(await living([app, ...pids])).toBe('');
    expect((await machine.shell.run('awk \'$3 == "Z"\' /proc/[0-9]*/stat 2>/dev/null')).output).toBe('');
    // The empty cgroups are swept by the app that follows.
    const next = await ask<number>('/');
    expect(next).not.toBe(app);
    expect(
      (await machine.shell.run(`ls -d /sys/fs/cgroup/app/hearth-port-${app}-* 2>/dev/null`)).output,
    ).toBe('');
    expect(await ask('/echo?of=5')).toBe(true);
  });
});
