import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildFirmware } from '../../src/build/firmware.ts';
import { writeImage } from '../../src/build/image.ts';
import type { Machine } from '../../src/host/machine.ts';
import { loadProject } from '../../src/project/load.ts';
import { commandBlocks, commands, readPage } from '../docs/blocks.ts';
import { temporaryFolder } from '../firmware.ts';
import { Bench } from './harness.ts';

const BOOT = { timeoutMs: 240_000 };
const RECOVERY = { timeoutMs: 120_000 };
const PORT = 5454;
/** Calls that are on their way at once when the app is killed or the power goes. */
const WRITERS = 8;
/** What bob has to do that day: by the README's calls, and one of ours. */
const BOBS = ['2017-01-20 Fundraiser', '2017-01-20 Buy milk', '2017-01-20 Ärzte & Käse=100%?'];
const README = 'firmware/apps/todo/README.md';

// On a device: each test finds it as the one before left it.
describe('the to-do system (x86_64)', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let bench: Bench;
  let machine: Machine;

  async function call(method: 'GET' | 'POST', path: string): Promise<{ status: number; text: string }> {
    const response = await fetch(`http://127.0.0.1:${machine.portOf(PORT)}${path}`, { method });
    return { status: response.status, text: await response.text() };
  }
  const add = (list: string, title: string, date = '20170120'): Promise<{ status: number; text: string }> =>
    call(
      'POST',
      `/add_entry?list=${encodeURIComponent(list)}&date=${date}&title=${encodeURIComponent(title)}`,
    );
  const entries = async (list: string, date = '20170120'): Promise<string[]> => {
    const { status, text } = await call('GET', `/entries?list=${encodeURIComponent(list)}&date=${date}`);
    expect(status).toBe(200);
    return text.split('\n').slice(0, -1);
  };

  /** Adds entries, several at a time, until the device goes away. Returns the titles that were answered. */
  async function addUntilLost(list: string, answered: string[]): Promise<void> {
    const writer = async (name: number): Promise<void> => {
      for (let count = 1; ; count++) {
        const title = `entry ${name}.${count}`;
        const answer = await add(list, title).catch(() => undefined);
        if (answer === undefined) return;
        expect(answer).toEqual({ status: 200, text: 'OK\n' });
        answered.push(title);
      }
    };
    await Promise.all(Array.from({ length: WRITERS }, (_, name) => writer(name)));
  }
  async function reached(count: number, answered: readonly string[]): Promise<void> {
    await expect.poll(() => answered.length, { timeout: 60_000, interval: 5 }).toBeGreaterThanOrEqual(count);
  }
  /** Every answered entry is there, once; what was on its way may be there too. */
  async function expectKept(list: string, answered: readonly string[]): Promise<void> {
    const there = (await entries(list)).map((line) => line.replace('2017-01-20 ', ''));
    expect(there).toEqual(expect.arrayContaining([...answered]));
    expect(new Set(there).size).toBe(there.length);
    expect(there.length - answered.length).toBeLessThanOrEqual(WRITERS);
  }

  beforeAll(async () => {
    folder = await temporaryFolder();
    const project = await loadProject('firmware/apps/todo');
    const app = { ...project.config.app, entry: '../../../test/emulator/todo-crash.ts' };
    const firmware = await buildFirmware(
      { ...project, config: { ...project.config, app } },
      { target: 'x86_64', out: `${folder.path}/todo.fw` },
    );
    const image = `${folder.path}/disk.img`;
    // The least disk: its /data is soon full.
    await writeImage(firmware.path, image);
    bench = await Bench.open({ emulator: 'q35', image, ports: [PORT] });
    machine = await bench.start();
    await machine.console.waitFor(/\[hearth\] ready /, BOOT);
  });
  afterAll(async () => {
    await bench?.close();
    await folder?.[Symbol.asyncDispose]();
  });

  test('answers the calls of the README as it says', async () => {
    expect(await call('GET', '/entries?list=bob&date=20170120')).toEqual({ status: 200, text: '' });
    const shown = commandBlocks(README, readPage(README))
      .filter(({ language }) => language === 'console')
      .flatMap(commands);
    expect(shown.length).toBeGreaterThan(3);
    for (const { text, prints } of shown) {
      const here = text.replace(`localhost:${PORT}`, `127.0.0.1:${machine.portOf(PORT)}`);
      expect(here, 'a call of the device').not.toBe(text);
      const { stdout } = await promisify(execFile)('sh', ['-c', here]);
      expect(stdout, text).toBe(`${prints}\n`);
    }
  });

  // docs/security.md promises it.
  test('has no port open but its own, and the one by which devices are found', async () => {
    const listening = await machine.shell.text('netstat -lntuw | tail -n +3');
    const open = listening.split('\n').map((line) => line.split(/\s+/)[3]);
    expect(new Set(open), listening).toEqual(new Set([`:::${PORT}`, '224.0.0.251:5353', 'ff02::fb:5353']));
  });

  test('keeps lists and days apart, in the order of their coming', async () => {
    await add('bob', 'Ärzte & Käse=100%?');
    await add('bob', 'tomorrow', '20170121');
    await add('alice', 'hers');
    expect(await entries('bob')).toEqual(BOBS);
    expect(await entries('bob', '20170121')).toEqual(['2017-01-21 tomorrow']);
    expect(await entries('alice')).toEqual(['2017-01-20 hers']);
  });

  test('takes 100 characters of a list and 500 of a title, and says what is wrong with more', async () => {
    const [list, title] = ['l'.repeat(100), 't'.repeat(500)];
    expect((await add(list, title)).status).toBe(200);
    expect(await entries(list)).toEqual([`2017-01-20 ${title}`]);
    for (const [mistake, words] of [
      [add(`${list}l`, 'x'), /list has 101 characters; at most 100/],
      [add('bob', `${title}t`), /title has 501 characters; at most 500/],
      [add('bob', 'x', '20170230'), /there is no 2017-02-30/],
      [add('bob', 'x', '2017-01-20'), /date must be YYYYMMDD/],
      [call('POST', '/add_entry?date=20170120&title=x'), /list is missing/],
      [call('GET', '/entries?list=bob'), /date is missing/],
    ] as const) {
      const answer = await mistake;
      expect(answer.status).toBe(400);
      expect(answer.text).toMatch(words);
    }
    expect(await entries('bob')).toEqual(BOBS);
  });

  test('answers 507 when the disk is full, stores nothing of it, and goes on when there is room', async () => {
    // As root, which may take what is reserved for it, too; cat goes on to the last byte.
    await machine.shell.run('dd if=/dev/zero of=/data/filler bs=1M; cat /dev/zero >> /data/filler', RECOVERY);
    const answered: string[] = [];
    let refused: { status: number; text: string } | undefined;
    // The log's last block has room for some more.
    for (let count = 0; count < 200 && !refused; count++) {
      const title = `full ${count} ${'x'.repeat(400)}`;
      const answer = await add('full', title);
      if (answer.status === 200) answered.push(`2017-01-20 ${title}`);
      else refused = answer;
    }
    expect(refused).toEqual({ status: 507, text: 'The disk is full; nothing was stored.\n' });
    expect(await entries('full')).toEqual(answered);
    await machine.shell.text('rm /data/filler; sync');
    expect((await add('full', 'room again')).status).toBe(200);
    expect(await entries('full')).toEqual([...answered, '2017-01-20 room again']);
  });

  test('the crash of a list ends that list alone, and loses nothing that was answered', async () => {
    await add('untouched', 'before the crashes');
    const answered: string[] = [];
    let unanswered = 0;
    let over = false;
    const writer = async (name: number): Promise<void> => {
      for (let count = 1; !over; count++) {
        const title = `entry ${name}.${count}`;
        // A connection that was kept too long counts as no answer; that the app lives on, its pid says below.
        const answer = await add('crashing', title).catch(() => undefined);
        if (answer?.status === 200) answered.push(title);
        else {
          expect(answer?.status ?? 500).toBe(500);
          unanswered++;
        }
      }
    };
    const adding = Promise.all(Array.from({ length: WRITERS }, (_, name) => writer(name)));
    await machine.shell.text('echo crashing > /data/app/crash');
    const crashes: { pid: number; before: Record<string, number>; after: Record<string, number> }[] = [];
    for (let round = 1; round <= 3; round++) {
      // Nobody shall stop for idleness here, however slow the machine is.
      await expect
        .poll(() => entries('untouched').catch(() => []), { timeout: RECOVERY.timeoutMs })
        .toHaveLength(1);
      // It has come back, and works.
      await reached(answered.length + 50, answered);
      machine.console.skip();
      await machine.shell.text('kill -USR2 $(cat /sys/fs/cgroup/app/main/cgroup.procs)');
      const [, report = ''] = await machine.console.waitFor(/crashed (\{.*\})/, RECOVERY);
      crashes.push(JSON.parse(report));
    }
    over = true;
    await adding;
    const untouched = crashes[0]?.before.untouched;
    expect(untouched).toBeTypeOf('number');
    for (const { before, after } of crashes) {
      expect(before.crashing).toBeTypeOf('number');
      expect(after).toEqual({ ...before, crashing: undefined });
      expect(after.untouched).toBe(untouched);
    }
    expect(new Set(crashes.map(({ before }) => before.crashing)).size).toBe(3);
    expect(new Set(crashes.map(({ pid }) => pid)).size).toBe(1);
    const there = (await entries('crashing')).map((line) => line.replace('2017-01-20 ', ''));
    expect(there).toEqual(expect.arrayContaining(answered));
    expect(new Set(there).size).toBe(there.length);
    expect(there.length - answered.length).toBeLessThanOrEqual(unanswered);
    expect(await entries('untouched')).toEqual(['2017-01-20 before the crashes']);
  });

  test('loses nothing that was answered when the app is killed', async () => {
    const answered: string[] = [];
    machine.console.skip();
    const adding = addUntilLost('killed', answered);
    await reached(100, answered);
    await machine.shell.text('kill -9 $(cat /sys/fs/cgroup/app/main/cgroup.procs)');
    await adding;
    await machine.console.waitFor(/\[hearth\] the app is healthy again/, RECOVERY);
    await expectKept('killed', answered);
  });

  test('loses nothing that was answered when the power goes right after the answer', async () => {
    const answered: string[] = [];
    const adding = addUntilLost('cut', answered);
    await reached(100, answered);
    await machine.cutPower();
    await adding;
    machine = await bench.start();
    await machine.console.waitFor(/\[hearth\] ready /, BOOT);
    await expectKept('cut', answered);
    expect(await entries('bob')).toEqual(BOBS);
    expect((await add('bob', 'after the cut')).status).toBe(200);
    await machine.stop();
  });
});
