import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { writeImage } from '../../src/build/image.ts';
import type { Machine } from '../../src/host/machine.ts';
import type { FirmwareConfig } from '../../src/project/schema.ts';
import { buildApp, temporaryFolder } from '../firmware.ts';
import { Bench, withMachine } from './harness.ts';

const BOOT = { timeoutMs: 240_000 };
const RECOVERY = { timeoutMs: 120_000 };
const PORT = 8080;
const BEAT_TIMEOUT_MS = 8_000;
const STOP_TIMEOUT_MS = 4_000;

/** An app that misbehaves in the way that the path of a request names. */
const BAD_APP = `
import { spawn } from 'node:child_process';
import { appendFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { run } from 'hearthfw';
const hoard: Buffer[] = [];
const misbehave: Record<string, () => unknown> = {
  '/spin': () => { for (;;); },
  '/hoard': () => setInterval(() => hoard.push(Buffer.alloc(32 << 20, 1)), 1),
  '/flood': () => { const line = 'x'.repeat(1 << 16) + '\\n'; setInterval(() => { for (let i = 0; i < 64; i++) process.stdout.write(line); }, 1); },
  '/fill': () => {
    const block = Buffer.alloc(1 << 20, 1);
    for (const folder of ['/tmp', '/dev/shm']) {
      try { for (;;) appendFileSync(folder + '/fill', block); } catch {}
    }
  },
  '/child': () => spawn('sleep', ['100000'], { detached: true, stdio: 'ignore' }).unref(),
  '/deaf': () => { process.on('SIGTERM', () => {}); process.on('message', () => {}); for (;;); },
};
run({
  start: () => new Promise((resolve) => {
    createServer((request, response) => {
      response.end(String(process.pid));
      const act = misbehave[request.url ?? ''];
      if (act) setImmediate(act);
    }).listen(${PORT}, () => resolve());
  }),
});
`;

async function makeImage(folder: string, source: string, config: Partial<FirmwareConfig>): Promise<string> {
  const firmware = await buildApp(source, 'x86_64', folder, config);
  const path = `${folder}/${firmware.uuid}.img`;
  await writeImage(firmware.path, path, { size: 1024 ** 3 });
  return path;
}

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
beforeAll(async () => {
  folder = await temporaryFolder();
});
afterAll(() => folder[Symbol.asyncDispose]());

const ask = async (machine: Machine, path: string): Promise<number> =>
  Number(await (await fetch(`http://127.0.0.1:${machine.portOf(PORT)}${path}`)).text());

// One device, one bad app: each test leaves it healthy.
describe('an app that misbehaves never takes the device down (x86_64)', () => {
  let bench: Bench;
  let machine: Machine;
  let hearthd: string;

  const pidOf = (cgroup: string): Promise<string> =>
    machine.shell.text(`head -n 1 /sys/fs/cgroup/${cgroup}/cgroup.procs`);
  const healthyAgain = (): Promise<unknown> =>
    machine.console.waitFor(/\[hearth\] the app is healthy again/, RECOVERY);

  beforeAll(async () => {
    const app = {
      entry: './src/app.ts',
      beatTimeoutMs: BEAT_TIMEOUT_MS,
      stopTimeoutMs: STOP_TIMEOUT_MS,
      maxRestarts: 20,
    };
    const image = await makeImage(folder.path, BAD_APP, { app });
    bench = await Bench.open({ emulator: 'q35', image, ports: [PORT] });
    machine = await bench.start();
    await machine.console.waitFor(/\[hearth\] ready /, BOOT);
    hearthd = await pidOf('hearthd');
  });
  afterAll(() => bench?.close());

  test('a busy loop is killed after its beat timeout, and the app starts again (S5)', async () => {
    const before = await ask(machine, '/spin');
    await machine.console.waitFor(/\[hearth\] the app .*(beat|still)/, RECOVERY);
    await healthyAgain();
    expect(await ask(machine, '/')).not.toBe(before);
  });

  test('one that eats all memory is killed, and hearthd is not (R2)', async () => {
    await ask(machine, '/hoard');
    await machine.console.waitFor(/\[hearth\] the app died of SIGKILL/, RECOVERY);
    await healthyAgain();
    expect(await machine.shell.text('dmesg | grep -c "Out of memory\\|oom-kill"')).not.toBe('0');
  });

  test('one that fills every memory file system leaves hearthd its memory (R2)', async () => {
    const before = await ask(machine, '/fill');
    await machine.shell.text(
      `while [ -d /proc/${before} ] && ! [ -e /dev/shm/fill ]; do usleep 200000; done; sleep 5`,
    );
    expect(
      Number(await machine.shell.text("awk '/MemAvailable/ { print $2 }' /proc/meminfo")),
    ).toBeGreaterThan(100_000);
    expect(await pidOf('hearthd')).toBe(hearthd);
    await machine.shell.text(`rm -f /tmp/fill /dev/shm/fill; kill -9 ${before} 2>/dev/null; true`);
    await healthyAgain();
  });

  test('what it started dies with it (R3)', async () => {
    const before = await ask(machine, '/child');
    await machine.shell.text('until grep -q . /proc/$(pidof sleep)/cmdline; do usleep 100000; done');
    await machine.shell.text(`kill -9 ${before}`);
    await healthyAgain();
    expect((await machine.shell.run('pidof sleep')).output.trim()).toBe('');
  });

  test('a flood of output is bounded, and hearthd beats on (R4)', async () => {
    const written = machine.console.transcript.length;
    const before = await ask(machine, '/flood');
    await machine.console.waitFor(/dropped|left out|suppressed/, RECOVERY);
    await machine.shell.text(`sleep 5; kill -9 ${before}`);
    await healthyAgain();
    expect(machine.console.transcript.length - written).toBeLessThan(1_000_000);
  });

  test('through all of it hearthd has been the same process', async () => {
    expect(await pidOf('hearthd')).toBe(hearthd);
  });

  test('one that hears nothing holds up a reboot for its stop timeout, not longer (S5)', async () => {
    await ask(machine, '/deaf');
    const reset = machine.waitForReset(RECOVERY);
    const start = performance.now();
    await machine.shell.send('kill -TERM 1');
    await reset;
    // The way down besides the app takes a second or two here; heart's own deadline would be 20 s.
    expect(performance.now() - start).toBeLessThan(STOP_TIMEOUT_MS + 10_000);
  });
});

test('an app that throws at import becomes failed, says where and what to do, and the device stays up (S4)', async () => {
  const source = "import { run } from 'hearthfw';\nrun(() => {});\nthrow new Error('no such sensor');\n";
  const app = { entry: './src/app.ts', maxRestarts: 2, restartWindowMs: 120_000 };
  const image = await makeImage(folder.path, source, { app });
  await withMachine({ emulator: 'q35', image }, async (machine) => {
    await machine.console.waitFor(/\[hearth\] the app has failed: more than 2 restarts/, BOOT);
    await machine.console.waitFor(/\[hearth\] to mend it: /, BOOT);
    expect(machine.console.transcript).toMatch(/app\.ts:3:\d+/);
    expect(machine.console.transcript).toContain('no such sensor');
    const hearthd = await machine.shell.text('head -n 1 /sys/fs/cgroup/hearthd/cgroup.procs');
    await machine.shell.text('sleep 15');
    expect(await machine.shell.text('head -n 1 /sys/fs/cgroup/hearthd/cgroup.procs')).toBe(hearthd);
    expect(machine.resets).toEqual([]);
  });
});

test("console: 'none' is silent while the app serves", async () => {
  const image = await makeImage(folder.path, BAD_APP, { console: 'none' });
  await withMachine({ emulator: 'q35', image, ports: [PORT] }, async (machine) => {
    const deadline = performance.now() + BOOT.timeoutMs;
    // Nothing on the console says when the app is there: ask until it answers.
    const answer = async (): Promise<number> => {
      try {
        return await ask(machine, '/');
      } catch (error) {
        if (performance.now() > deadline) throw error;
        await new Promise((resolve) => setTimeout(resolve, 500));
        return answer();
      }
    };
    expect(await answer()).toBeGreaterThan(1);
    expect(machine.console.transcript).not.toMatch(/\[hearth\]|app:/);
    expect(machine.shellPort.transcript).not.toContain('#');
  });
});
