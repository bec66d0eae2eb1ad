import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { FwError } from '../errors.ts';
import type { Board } from './board.ts';
import { Machine } from './machine.ts';
import type { Forward } from './qemu/args.ts';
import { tinyGuest } from './tiny-guest.fixture.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hearth-machine-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function start(board: Partial<Board> = {}, forwards: Forward[] = []): Promise<Machine> {
  const machine = await Machine.start(await tinyGuest(folder, board), forwards);
  onTestFinished(async () => void (await machine.cutPower()));
  await machine.console.waitFor('up');
  return machine;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe('a machine', () => {
  test('shows both serial ports and takes what is typed', async () => {
    const machine = await start();
    await machine.shellPort.waitFor('second');
    machine.console.write('abc\n');
    await machine.console.waitFor(/^abc$/);
  });

  test('has its ports the other way round where the board says so', async () => {
    const board = await tinyGuest(folder, { consoleSerial: 1 });
    const machine = await Machine.start(board, []);
    onTestFinished(async () => void (await machine.cutPower()));
    await machine.console.waitFor('second');
    await machine.shellPort.waitFor('up');
  });

  test('lives through a reset of the guest and tells it from the reset button', async () => {
    const machine = await start();
    const reset = machine.waitForReset();
    machine.console.write('r');
    expect(await reset).toEqual({ cause: 'guest' });
    await machine.console.waitFor('up');
    const before = machine.resets.length;
    await machine.reset();
    await machine.console.waitFor('up');
    // SeaBIOS follows each reset by one of its own, because the memory was not cleared.
    expect(machine.resets[before]).toEqual({ cause: 'button' });
  });

  test('starts QEMU anew where a reset ends it, with the same console and the same ports', async () => {
    let left = 0;
    const board: Partial<Board> = { resetEndsQemu: true, leaveDisk: () => void left++ };
    const machine = await start(board, [{ host: 0, guest: 80 }]);
    const port = machine.portOf(80);
    const first = machine.qmp;
    const reset = machine.waitForReset();
    machine.console.write('r');
    expect(await reset).toEqual({ cause: 'guest' });
    // In the moment between two processes the button waits for the second one.
    await machine.reset();
    await machine.console.waitFor('up');
    expect(machine.resets).toHaveLength(2);
    expect(left).toBe(2);
    expect(machine.portOf(80)).toBe(port);
    expect(machine.qmp).not.toBe(first);
    expect(machine.console.transcript.match(/up/g)?.length).toBeGreaterThanOrEqual(2);
  });

  test('is reset by its watchdog in the same QEMU, which remembers that, also where other resets end QEMU', async () => {
    const machine = await start({ resetEndsQemu: true, watchdogPauses: true });
    // One that ends QEMU is a SHUTDOWN instead. SeaBIOS has one follow.
    const inPlace = new Promise<void>((resolve) => {
      machine.qmp.onEvent(({ event }) => void (event === 'RESET' && resolve()));
    });
    const reset = machine.waitForReset();
    machine.console.write('w');
    expect(await reset).toEqual({ cause: 'watchdog' });
    await inPlace;
    await machine.console.waitFor('up');
    const before = machine.resets.length;
    const { pid } = machine;
    machine.console.write('r');
    await machine.console.waitFor('up');
    expect(machine.resets[before]).toEqual({ cause: 'guest' });
    expect(machine.pid).not.toBe(pid);
  });

  test('fails with the reason when its watchdog has paused it and it cannot be reset', async () => {
    const machine = await start({ watchdogPauses: true });
    const { qmp, pid = 0 } = machine;
    const execute = qmp.execute.bind(qmp);
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    onTestFinished(() => void vi.useRealTimers());
    const starved = new Promise<void>((resolve) => {
      qmp.execute = (command, args) => {
        if (command === 'system_reset') {
          process.kill(pid, 'SIGSTOP');
          resolve();
        }
        return execute(command, args);
      };
    });
    machine.console.write('w');
    await starved;
    vi.advanceTimersByTime(60_000);
    expect(await machine.exited).toMatchObject({ reason: 'failed', error: { code: 'reset-timeout' } });
    expect(isAlive(pid)).toBe(false);
  });

  test('that is stopped while its watchdog has it reset has been stopped, and nothing else', async () => {
    const machine = await start({ watchdogPauses: true });
    const paused = new Promise<void>((resolve) => {
      machine.qmp.onEvent(({ event }) => void (event === 'WATCHDOG' && resolve()));
    });
    machine.console.write('w');
    await paused;
    expect(await machine.cutPower()).toMatchObject({ reason: 'power-cut', signal: 'SIGKILL' });
  });

  test('stays off when it was stopped between two processes', async () => {
    const machine = await start({ resetEndsQemu: true });
    const reset = machine.waitForReset();
    machine.console.write('r');
    await reset;
    expect((await machine.stop()).reason).toBe('stopped');
  });

  test('stays off when it was stopped while the second process was being started', async () => {
    const board = await tinyGuest(folder, { resetEndsQemu: true });
    let machine: Machine | undefined;
    let stopped: Promise<unknown> | undefined;
    const powerOn: Board['powerOn'] = (forwards) => {
      stopped = machine?.stop();
      return board.powerOn(forwards);
    };
    machine = await Machine.start({ ...board, powerOn }, []);
    await machine.console.waitFor('up');
    machine.console.write('r');
    expect((await machine.exited).reason).toBe('stopped');
    await stopped;
  });

  test('ends when the guest powers off, and tells those who wait', async () => {
    const machine = await start();
    const waiting = machine.console.waitFor('never');
    const noReset = machine.waitForReset();
    machine.console.write('p');
    await expect(waiting).rejects.toMatchObject({ code: 'machine-gone' });
    await expect(noReset).rejects.toMatchObject({ code: 'machine-gone' });
    expect(await machine.exited).toMatchObject({ reason: 'guest-shutdown', code: 0 });
    expect(() => machine.qmp).toThrow(FwError);
  });

  test('ends when the guest can only say that the power is down', async () => {
    const machine = await start({ powerOffLine: /reboot: Power down/ });
    machine.console.write('h');
    expect((await machine.exited).reason).toBe('guest-shutdown');
    // What the machine watches for is still there for a test.
    expect(machine.console.transcript).toContain('reboot: Power down');
  });

  test('leaves no process behind when it is stopped or its power is cut', async () => {
    for (const end of ['stop', 'cutPower'] as const) {
      const machine = await start();
      const info = await machine.qmp.monitor('info version');
      expect(info).toMatch(/^\d+\./);
      const exit = await machine[end]();
      expect(exit.reason).toBe(end === 'stop' ? 'stopped' : 'power-cut');
      expect(exit.signal).toBe(end === 'stop' ? null : 'SIGKILL');
    }
  });

  test('says what happened when somebody kills QEMU', async () => {
    const machine = await start();
    const pid = machine.pid ?? 0;
    expect(isAlive(pid)).toBe(true);
    process.kill(pid, 'SIGKILL');
    const exit = await machine.exited;
    expect(exit).toMatchObject({ reason: 'failed', signal: 'SIGKILL', error: { code: 'qemu-failed' } });
    expect(isAlive(pid)).toBe(false);
  });

  test('fails with the reason when its board does not boot any more after a reset', async () => {
    const board = await tinyGuest(folder, { resetEndsQemu: true });
    let starts = 0;
    const powerOn: Board['powerOn'] = (forwards) => {
      if (++starts > 1) throw new FwError('pi-does-not-boot', 'no kernel');
      return board.powerOn(forwards);
    };
    const machine = await Machine.start({ ...board, powerOn }, []);
    await machine.console.waitFor('up');
    machine.console.write('r');
    expect(await machine.exited).toMatchObject({ reason: 'failed', error: { code: 'pi-does-not-boot' } });
  });

  test('takes the power from its board in a cut, and not from that of a machine that is off', async () => {
    let cuts = 0;
    const board: Partial<Board> = { cutPower: () => void cuts++ };
    const machine = await start(board);
    expect((await machine.cutPower()).reason).toBe('power-cut');
    await machine.cutPower();
    expect(cuts).toBe(1);
    await (await start(board)).stop();
    expect(cuts).toBe(1);
  });

  test('chooses free ports where any will do, two machines two', async () => {
    const forwards = [
      { host: 0, guest: 22 },
      { host: 0, guest: 80 },
    ];
    const [a, b] = [await start({}, forwards), await start({}, forwards)];
    const ports = [a.portOf(22), a.portOf(80), b.portOf(22), b.portOf(80)];
    expect(new Set(ports).size).toBe(4);
    expect(ports).not.toContain(0);
    expect(() => a.portOf(443)).toThrow(expect.objectContaining({ code: 'not-forwarded' }));
  });

  test('names the port that is taken', async () => {
    const machine = await start({}, [{ host: 0, guest: 80 }]);
    const host = machine.portOf(80);
    const second = tinyGuest(folder).then((board) => Machine.start(board, [{ host, guest: 80 }]));
    await expect(second).rejects.toMatchObject({
      code: 'port-in-use',
      where: expect.stringContaining(`:${host}-`),
    });
  });
});
