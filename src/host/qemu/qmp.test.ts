import { duplexPair } from 'node:stream';
import { describe, expect, onTestFinished, test } from 'vitest';
import { startQemu } from './process.ts';
import { Qmp, type QmpEvent } from './qmp.ts';

const ARGS = ['-M', 'none', '-nodefaults', '-display', 'none', '-S'];
const CONTROL = ['-chardev', 'socket,id=qmp,fd=3', '-mon', 'chardev=qmp,mode=control'];

async function qemu() {
  const started = await startQemu('qemu-system-x86_64', [...ARGS, ...CONTROL]);
  for (const serial of started.serials) serial.resume();
  onTestFinished(async () => void (await started.kill()));
  return started;
}

describe("QEMU's control protocol, spoken with QEMU", () => {
  test('gives what a command returned, in order', async () => {
    const { qmp } = await qemu();
    const [status, name, status2] = await Promise.all([
      qmp.execute('query-status'),
      qmp.execute('query-name'),
      qmp.execute('query-status'),
    ]);
    expect(status).toMatchObject({ status: 'prelaunch', running: false });
    expect(name).toEqual({});
    expect(status2).toEqual(status);
  });

  test("tells an error in QEMU's own words, and goes on", async () => {
    const { qmp } = await qemu();
    const bad = qmp.execute('device_del', { id: 'nothing' });
    await expect(bad).rejects.toMatchObject({ code: 'qmp-error', where: 'DeviceNotFound' });
    await expect(qmp.execute('no-such-command')).rejects.toThrow('no-such-command');
    expect(await qmp.monitor('info version')).toMatch(/^\d+\.\d+/);
  });

  test('reports events until told otherwise', async () => {
    const { qmp } = await qemu();
    const events: QmpEvent[] = [];
    const stop = qmp.onEvent((event) => events.push(event));
    await qmp.execute('cont');
    stop();
    await qmp.execute('stop');
    expect(events).toEqual([{ event: 'RESUME', data: {} }]);
  });

  test('rejects what is pending and what comes later when QEMU dies', async () => {
    const { qmp, kill, pid } = await qemu();
    // A stopped process cannot answer.
    process.kill(pid, 'SIGSTOP');
    const pending = qmp.execute('query-status');
    await Promise.all([kill(), expect(pending).rejects.toMatchObject({ code: 'qmp-closed' })]);
    await qmp.closed;
    await expect(qmp.execute('query-status')).rejects.toMatchObject({ code: 'qmp-closed' });
  });
});

test('answers that come in pieces are put together', async () => {
  const [ours, theirs] = duplexPair();
  const connecting = Qmp.connect(ours);
  theirs.once('data', () => {
    for (const piece of ['{"retu', 'rn": {}}', '\n']) theirs.write(piece);
  });
  for (const piece of ['{"QM', 'P": {}}\n']) theirs.write(piece);
  await connecting;
});
