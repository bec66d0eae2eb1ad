import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { writeImage } from '../../src/build/image.ts';
import type { Machine } from '../../src/host/machine.ts';
import { buildExample, temporaryFolder } from '../firmware.ts';
import { Bench } from './harness.ts';

const BOOT = { timeoutMs: 240_000 };
const RECOVERY = { timeoutMs: 120_000 };
/** Seconds of the default beat timeout, and how much later the kill may come. */
const BEAT_TIMEOUT_MS = 10_000;
const LATE_MS = 500;
/** Not after the pause of a second that comes next. How long it takes (50 ms at most) is measured by `npm run bench boot`, beside nothing else. */
const AT_ONCE_MS = 500;

// One device through a whole life: each test finds it as the one before left it.
describe('a device from power-on to power-off (x86_64, OVMF, systemd-boot)', () => {
  let folder: Awaited<ReturnType<typeof temporaryFolder>>;
  let bench: Bench;
  let machine: Machine;
  let firmware: Awaited<ReturnType<typeof buildExample>>;

  const pidOf = (cgroup: string): Promise<string> =>
    machine.shell.text(`head -n 1 /sys/fs/cgroup/${cgroup}/cgroup.procs`);
  const health = async (): Promise<{ ok: boolean; pid: number; uuid: string }> => {
    const response = await fetch(`http://127.0.0.1:${machine.portOf(8080)}/health`);
    return (await response.json()) as { ok: boolean; pid: number; uuid: string };
  };
  const serving = (): Promise<unknown> => machine.console.waitFor(/app: .*serving/, RECOVERY);

  beforeAll(async () => {
    folder = await temporaryFolder();
    firmware = await buildExample('hello', 'x86_64', folder.path);
    const image = `${folder.path}/disk.img`;
    await writeImage(firmware.path, image, { size: 1024 ** 3 });
    bench = await Bench.open({ emulator: 'q35', image, ports: [8080] });
    machine = await bench.start();
  });
  afterAll(async () => {
    await bench?.close();
    await folder?.[Symbol.asyncDispose]();
  });

  test('comes up and says so in one line', async () => {
    const [line] = await machine.console.waitFor(/\[hearth\] ready .*/, BOOT);
    const fields = Object.fromEntries(
      line.split(' ').flatMap((word) => (word.includes('=') ? [word.split('=')] : [])),
    );
    expect(fields).toMatchObject({ target: 'x86_64', slot: 'a', version: '1.0.0', uuid: firmware.uuid });
    const times = [fields.kernel_ms, fields.hearthd_ms, fields.app_ms].map(Number);
    expect(times).toEqual([...times].sort((a, b) => a - b));
    expect(times.every((ms) => ms > 0)).toBe(true);
    expect(machine.console.transcript).toContain('[hearth] last reset: first-boot');
  });

  test('says at every boot that the example key has signed it', () => {
    expect(machine.console.transcript).toMatch(/\[hearth\] WARNING: .*example key/);
  });

  test('serves the page through a forwarded port, as an unprivileged user', async () => {
    const { ok, pid, uuid } = await health();
    expect({ ok, uuid }).toEqual({ ok: true, uuid: firmware.uuid });
    const status = await machine.shell.text(`cat /proc/${pid}/status`);
    expect(status).toMatch(/^Uid:\t1000\t1000\t1000\t1000$/m);
    expect(status).toMatch(/^CapEff:\t0000000000000000$/m);
  });

  test('has a root that nothing can write, and /data that the app owns', async () => {
    expect((await machine.shell.run('touch /etc/x')).output).toContain('Read-only file system');
    expect(await machine.shell.text('stat -c %U:%a /data/app')).toMatch(/^app:7/);
    expect(await machine.shell.text('grep " /data " /proc/mounts')).toMatch(/^\/dev\/vda5 \/data ext4 rw/);
  });

  test('keeps hearthd, the app and the network in cgroups of their own', async () => {
    const [hearthd, app, net] = [await pidOf('hearthd'), await pidOf('app/main'), await pidOf('net')];
    expect(new Set([hearthd, app, net]).size).toBe(3);
    expect(Number(app)).toBe((await health()).pid);
  });

  test('holds no zombie', async () => {
    expect(await machine.shell.text('cat /proc/[0-9]*/stat 2>/dev/null | awk \'$3 == "Z"\' | wc -l')).toBe(
      '0',
    );
  });

  test('starts the app again when it is killed', async () => {
    const before = (await health()).pid;
    machine.console.skip();
    await machine.shell.text(`kill -9 ${before}`);
    await machine.console.waitFor(/\[hearth\] the app died of SIGKILL/, RECOVERY);
    await machine.console.waitFor(/\[hearth\] the app is healthy again/, RECOVERY);
    expect((await health()).pid).not.toBe(before);
  });

  test('starts a service of hearthd again whose program is killed, and touches nothing else', async () => {
    const { shell } = machine;
    const [hearthd, app] = [await pidOf('hearthd'), (await health()).pid];
    const listener = (): Promise<string> =>
      shell.text("ps -o pid,args | awk '/busybox [u]event/ { print $1 }'");
    const [client, heard] = [await pidOf('net'), await listener()];
    machine.console.skip();
    await shell.text(`kill -9 ${client} ${heard}`);
    await machine.console.waitFor('[hearth] dhcp eth0: the DHCP client ended (SIGKILL)', RECOVERY);
    await machine.console.waitFor('[hearth] eth0: 10.0.2.15/24', RECOVERY);
    await shell.text("until ps -o args | grep -q 'busybox [u]event'; do usleep 100000; done", RECOVERY);
    expect(machine.console.transcript).toContain('[hearth] hot-plug: /bin/busybox ended by SIGKILL');
    expect(await pidOf('net')).not.toBe(client);
    expect(await listener()).not.toBe(heard);
    expect([await pidOf('hearthd'), (await health()).pid]).toEqual([hearthd, app]);
  });

  test('starts hearthd again at once when it is killed, and takes the app down with it', async () => {
    const [hearthd, app, net] = [await pidOf('hearthd'), (await health()).pid, await pidOf('net')];
    machine.console.skip();
    await machine.shell.text('dmesg -c >/dev/null; kill -9 '.concat(hearthd));
    await serving();
    const log = await machine.shell.text('dmesg');
    const at = (text: RegExp): number =>
      1000 * Number(new RegExp(`\\[ *([\\d.]+)\\] heart: ${text.source}`).exec(log)?.[1]);
    expect(at(/started hearthd/) - at(/hearthd was ended by signal 9/)).toBeLessThanOrEqual(AT_ONCE_MS);
    expect((await health()).pid).not.toBe(app);
    // The lease outlives hearthd.
    expect(await pidOf('net')).toBe(net);
  });

  test('kills a hearthd that hangs, on time, and starts it again', async () => {
    machine.console.skip();
    await machine.shell.text(`kill -STOP ${await pidOf('hearthd')}`);
    const [, ms] = await machine.console.waitFor(/hearthd has not beaten for (\d+) ms: killing it/, RECOVERY);
    expect(Number(ms)).toBeGreaterThanOrEqual(BEAT_TIMEOUT_MS);
    expect(Number(ms)).toBeLessThanOrEqual(BEAT_TIMEOUT_MS + LATE_MS);
    await serving();
    expect((await health()).ok).toBe(true);
  });

  test('is reset by the hardware when heart stops petting, and the next boot names the cause', async () => {
    const reset = machine.waitForReset(RECOVERY);
    await machine.shell.send('heart test-watchdog');
    expect((await reset).cause).toBe('watchdog');
    const [, cause] = await machine.console.waitFor(/\[hearth\] last reset: (.*)/, BOOT);
    expect(cause).toBe('watchdog');
    await machine.console.waitFor(/\[hearth\] ready /, BOOT);
  });

  test('reboots in order on SIGTERM, with the reason kept', async () => {
    await machine.shell.text('echo kept > /data/app/note; sync; echo "a test asked" > /run/hearth/reason');
    const reset = machine.waitForReset(RECOVERY);
    await machine.shell.send('kill -TERM 1');
    expect((await reset).cause).toBe('guest');
    const [, cause] = await machine.console.waitFor(/\[hearth\] last reset: (.*)/, BOOT);
    expect(cause).toBe('reboot: a test asked');
    await machine.console.waitFor(/\[hearth\] ready /, BOOT);
    expect(await machine.shell.text('cat /data/app/note')).toBe('kept');
  });

  test('powers off on SIGUSR2', async () => {
    await machine.shell.send('kill -USR2 1');
    expect((await machine.exited).reason).toBe('guest-shutdown');
    expect(machine.console.transcript).toMatch(/\[hearth\] down: poweroff/);
    // In no way down of this device, its root shell included.
    expect(machine.console.transcript).not.toContain('did not end within');
  });

  test('was off, not lost: the boot after a power-off says so', async () => {
    machine = await bench.start();
    const [, cause] = await machine.console.waitFor(/\[hearth\] last reset: (.*)/, BOOT);
    expect(cause).toMatch(/^poweroff: /);
  });

  test('calls a power cut by its name', async () => {
    await machine.cutPower();
    machine = await bench.start();
    const [, cause] = await machine.console.waitFor(/\[hearth\] last reset: (.*)/, BOOT);
    expect(cause).toMatch(/^unknown \(power loss/);
    await machine.stop();
  });
});
