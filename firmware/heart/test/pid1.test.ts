/** Stage 2 as the real PID 1 of a namespace: supervision, petting, reaping, the way down, and the next boot. */
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  constants,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { HEART_STATE } from '../../../src/update/layout.ts';
import { boot, type Device, device, pets, possible, read } from './namespace.ts';
import { alive, buildSanitizedHeart, children, heart, until } from './programs.ts';

const folder = mkdtempSync(join(tmpdir(), 'heart-test-'));
let sanitized = '';
beforeAll(() => {
  sanitized = buildSanitizedHeart(folder);
});
afterAll(() => rmSync(folder, { recursive: true }));

const BEATS = `
import { Socket } from 'node:net';
import { spawn } from 'node:child_process';
import { appendFileSync, existsSync, writeFileSync } from 'node:fs';
const heart = new Socket({ fd: 3 });
const beat = () => heart.write(Buffer.from([0, 1, 2]));
setInterval(beat, 100);
beat();
`;
/** Stops when asked to, saying so where a test can see it. */
const ORDERLY = `${BEATS}
process.on('SIGTERM', () => { console.log('hearthd stops'); process.exit(0); });
console.log('hearthd is up');
`;
const CMDLINE = 'quiet hearth.uuid=a-uuid hearth.target=test hearth.console=log hearth.beat=10';
const console = (d: Device) => read(join(d.files, 'screen'));
const said = (d: Device, text: string) => until(`“${text}” on the console`, () => console(d).includes(text));

describe.skipIf(!possible)('PID 1', () => {
  test('sets the system up and starts hearthd in it', async () => {
    const d = device({ hearthd: ORDERLY, etc: { hostname: 'pot\n', 'hearth/example-key': '' } });
    const b = await boot(heart, d, CMDLINE);
    const pid = await b.hearthd();
    await said(d, 'hearthd is up');
    expect(read(`/proc/${pid}/cgroup`)).toMatch(/^0::.*\/hearthd$/m);
    expect(read(`/proc/${pid}/environ`)).toMatch(/HEART_FD=3\0HEART_BEAT_TIMEOUT=10/);
    expect(read(`/proc/${pid}/cmdline`)).toBe(
      '/usr/bin/node\0--disable-warning=ExperimentalWarning\0/usr/lib/hearth/hearthd.mjs\0',
    );
    expect(read(`${b.root}/proc/self/mounts`)).toBe('');
    const mounts = read(`/proc/${b.init}/mounts`);
    for (const target of ['/tmp tmpfs', '/dev/pts devpts', '/dev/shm tmpfs', '/sys/fs/cgroup cgroup2'])
      expect(mounts).toContain(target);
    expect(read(`/proc/${b.init}/net/fib_trie`)).toContain('127.0.0.1');
    expect(read(`${b.root}/run/hearth/boot`)).toBe(
      'TARGET=test\nSLOT=a\nDISK=/disk\nRESET_CAUSE=first-boot\n',
    );
    expect(console(d)).toContain('[hearth] last reset: first-boot\n');
    expect(console(d)).toContain(
      "[hearth] WARNING: this firmware is signed with Hearth's public example key: anyone can sign for it\n",
    );
    expect(read(join(d.files, 'kmsg'))).toContain('<5>heart: last reset: first-boot\n');
  });

  test('with console=none nothing goes to the console, and everything to kmsg', async () => {
    const d = device({ hearthd: ORDERLY });
    await boot(heart, d, CMDLINE.replace('=log', '=none'));
    await until('kmsg', () => read(join(d.files, 'kmsg')).includes('heart: started hearthd'));
    expect(console(d)).toBe('');
  });

  test.each([
    ['SIGTERM', 'SIGHUP', 'reboot'],
    ['SIGUSR1', 'SIGINT', 'halt'],
    ['SIGUSR2', 'SIGINT', 'poweroff'],
  ] as const)('%s goes down in order, and the next boot names it', async (signal, end, verb) => {
    const d = device({
      hearthd: `${ORDERLY}writeFileSync('/run/hearth/reason', 'new firmware\\nsecond line\\n'); console.log('ready');`,
    });
    const first = await boot(heart, d, CMDLINE);
    await said(d, 'ready');
    process.kill(first.init, signal);
    expect(await first.ended).toBe(end);
    const lines = console(d).split('\n');
    const order = [
      `[hearth] going down: ${verb}: new firmware`,
      'hearthd stops',
      '[hearth] hearthd ended with status 0',
      `[hearth] down: ${verb}: new firmware`,
    ];
    expect(lines.filter((line) => order.includes(line))).toEqual(order);
    const second = await boot(heart, d, CMDLINE);
    await said(d, `[hearth] last reset: ${verb}: new firmware`);
    await until('the cause in the boot file', () =>
      read(`${second.root}/run/hearth/boot`).includes(`RESET_CAUSE=${verb}: new firmware\n`),
    );
  });

  test('without a reason file the reason is the signal and who sent it', async () => {
    const d = device({ hearthd: `${ORDERLY}setTimeout(() => process.kill(1, 'SIGTERM'), 200);` });
    const b = await boot(heart, d, CMDLINE);
    expect(await b.ended).toBe('SIGHUP');
    expect(console(d)).toMatch(/going down: reboot: signal 15 from process \d+/);
    // With nobody left, nothing is waited for.
    expect(console(d)).not.toMatch(/did not|cannot/);
  });

  test.each([
    ['a shell, which SIGTERM does not end: it does not wait for it', 'TERM', false],
    ['a program that nothing but SIGKILL ends: it is given 2 s', 'TERM HUP', true],
  ])('goes down with %s', async (_, deaf, killed) => {
    const d = device({
      hearthd: `${ORDERLY}spawn('/sbin/heart', ['exec', '--cgroup', '/sys/fs/cgroup/other', '--setsid', '--',
        'bash', '-c', 'trap "" ${deaf}; echo the shell is up >/dev/console; exec sleep 1006']);`,
    });
    const b = await boot(heart, d, CMDLINE);
    await said(d, 'the shell is up');
    process.kill(b.init, 'SIGTERM');
    expect(await b.ended).toBe('SIGHUP');
    expect(console(d).includes('some programs did not end within 2 s: killing them')).toBe(killed);
  });

  test('a death that nobody announced is told at the next boot', async () => {
    const d = device({ hearthd: ORDERLY });
    const first = await boot(heart, d, CMDLINE);
    await said(d, 'hearthd is up');
    process.kill(first.init, 'SIGKILL');
    await first.ended;
    await boot(heart, d, CMDLINE);
    await said(d, '[hearth] last reset: unknown (power loss, reset button or watchdog)');
  });

  test('hearthd is restarted at once, and what it had started in its groups goes with it', async () => {
    const d = device({
      hearthd: `${ORDERLY}
        import { readdirSync } from 'node:fs';
        for (const [name, seconds] of [['app', 1001], ['net', 1002], ['hearthd', 1003]])
          spawn('/sbin/heart', ['exec', '--cgroup', '/sys/fs/cgroup/' + name, '--', 'sleep', String(seconds)], { detached: true });`,
    });
    const b = await boot(heart, d, CMDLINE);
    const first = await b.hearthd();
    const sleeper = (seconds: number) =>
      until(`sleep ${seconds}`, () =>
        children(first).find((pid) => read(`/proc/${pid}/cmdline`) === `sleep\0${seconds}\0`),
      );
    const [app, net, own] = [await sleeper(1001), await sleeper(1002), await sleeper(1003)];
    process.kill(first, 'SIGKILL');
    const second = await b.hearthd(first);
    expect(second).not.toBe(first);
    await until('the app’s group is dead', () => !alive(app));
    await until('hearthd’s group is dead', () => !alive(own));
    expect(alive(net)).toBe(true);
  });

  test('the SSH daemon starts when its host key is there, outlives hearthd, is started again, and goes down with the rest', async () => {
    const d = device({
      hearthd: ORDERLY,
      dropbear: '#!/bin/bash\necho "dropbear speaks" >&2\n[ -e /run/broken ] && exit 1\nexec sleep 1004\n',
    });
    const b = await boot(heart, d, CMDLINE);
    await said(d, 'hearthd is up');
    const daemon = (not = 0) =>
      until('the SSH daemon', () =>
        b.children().find((pid) => pid !== not && read(`/proc/${pid}/cmdline`) === 'sleep\x001004\0'),
      );
    expect(b.children()).toEqual([await b.hearthd()]);
    mkdirSync(`${b.root}/run/hearth/ssh`);
    writeFileSync(`${b.root}/run/hearth/ssh/host_key`, '');
    const first = await daemon();
    expect(read(`/proc/${first}/cgroup`)).toMatch(/^0::.*\/ssh$/m);
    expect(read(join(d.files, 'kmsg'))).toContain('dropbear speaks\n');
    const hearthd = await b.hearthd();
    process.kill(hearthd, 'SIGKILL');
    await b.hearthd(hearthd);
    expect(alive(first)).toBe(true);
    process.kill(first, 'SIGKILL');
    const second = await daemon(first);
    expect(console(d)).toContain('[hearth] the SSH daemon has ended: starting it again in 1 s\n');
    writeFileSync(`${b.root}/run/broken`, '');
    process.kill(second, 'SIGKILL');
    await said(d, 'the SSH daemon has ended: starting it again in 4 s');
    rmSync(`${b.root}/run/broken`);
    await daemon(second);
    process.kill(b.init, 'SIGTERM');
    expect(await b.ended).toBe('SIGHUP');
    expect(console(d)).not.toMatch(/going down[\s\S]*starting it again/);
  });

  test('the daemon is Dropbear, by keys only, with heart behind it; its port is not for the app', async () => {
    const d = device({
      hearthd: `${ORDERLY}
        import { mkdirSync } from 'node:fs';
        mkdirSync('/run/hearth/ssh');
        writeFileSync('/run/hearth/ssh/host_key', '');`,
      dropbear: '#!/bin/bash\nprintf "<%s>" "$@" > /run/asked\nexec sleep 1005\n',
    });
    const b = await boot(sanitized, d, CMDLINE);
    expect(await until('its arguments', () => read(`${b.root}/run/asked`) || false)).toBe(
      '<-F><-E><-s><-j><-k><-p><22><-W><1048576><-K><15><-r></run/hearth/ssh/host_key><-D></run/hearth/ssh><-c></sbin/heart attach>',
    );
    const port = execFileSync('nsenter', [
      '-t',
      String(b.init),
      '-n',
      'cat',
      '/proc/sys/net/ipv4/ip_unprivileged_port_start',
    ]);
    expect(String(port)).toBe('23\n');
  });

  test('whatever loses its parent is reaped', async () => {
    const d = device({
      hearthd: `${ORDERLY}spawn('/bin/sh', ['-c', '(sleep 0.2; echo ran > /run/orphan) & exit 0']);`,
    });
    const b = await boot(heart, d, CMDLINE);
    await until('the orphan has run', () => read(`${b.root}/run/orphan`) === 'ran\n');
    // A zombie would still be a child.
    await until('only hearthd is left', () => b.children().length === 1);
  });

  test('a hearthd that hangs is killed within its timeout + 0.5 s, while the watchdog is petted all along', async () => {
    const d = device({ hearthd: ORDERLY });
    const b = await boot(sanitized, d, CMDLINE.replace('=10', '=1'), '3 0 test');
    const pid = await b.hearthd();
    await said(d, 'hearthd is up');
    process.kill(pid, 'SIGSTOP');
    const stopped = performance.now();
    await until('it is killed', () => !alive(pid));
    expect(performance.now() - stopped).toBeLessThan(1500);
    await b.hearthd(pid);
    await said(d, 'ms: killing it');
    // Granted 3 s: a pet every second.
    for (let i = 0; i < 2; i++) await until('a pet', () => pets(d) > 0, 1500);
  });

  test('a hearthd that will not stop is killed after 20 s on the way down; the petting goes on', async () => {
    const d = device({
      hearthd: `${BEATS}process.on('SIGTERM', () => {}); process.on('SIGHUP', () => {}); console.log('hearthd is up');`,
    });
    const b = await boot(heart, d, CMDLINE);
    await said(d, 'hearthd is up');
    const began = performance.now();
    process.kill(b.init, 'SIGTERM');
    expect(await b.ended).toBe('SIGHUP');
    expect(performance.now() - began).toBeGreaterThan(19_000);
    expect(performance.now() - began).toBeLessThan(30_000);
    expect(console(d)).toContain('hearthd did not stop within 20 s');
    expect(pets(d)).toBeGreaterThanOrEqual(2);
  });

  test('a console that nobody drains stops neither heart nor the petting', async () => {
    const d = device({ hearthd: 'process.exit(1)' });
    d.terminal.kill('SIGSTOP');
    const fill = openSync(join(d.files, 'console'), constants.O_RDWR | constants.O_NONBLOCK);
    onTestFinished(() => closeSync(fill));
    expect(() => {
      for (;;) writeSync(fill, 'x'.repeat(4096));
    }).toThrow('EAGAIN');
    await boot(sanitized, d, CMDLINE, '1 0 test');
    await until('heart works', () => read(join(d.files, 'kmsg')).includes('starting hearthd again in 1 s'));
    for (let i = 0; i < 3; i++) await until('a pet', () => pets(d) > 0, 1000);
  });

  test('test-watchdog ends the petting; the next boot says watchdog though the hardware cannot', async () => {
    const d = device({
      hearthd: `${ORDERLY}setTimeout(() => spawn('/sbin/heart', ['test-watchdog']), 300);`,
    });
    const b = await boot(sanitized, d, CMDLINE, '1 0 test');
    await said(d, 'petting has stopped');
    pets(d);
    const quiet = performance.now();
    // Granted 1 s: a pet every 333 ms, if any came.
    await until('longer than three pets take', () => performance.now() - quiet > 1200);
    expect(pets(d)).toBe(0);
    process.kill(b.init, 'SIGKILL');
    await b.ended;
    await boot(heart, d, CMDLINE);
    await said(d, '[hearth] last reset: watchdog');
  });

  test('when heart itself stands still, nothing pets', async () => {
    const d = device({ hearthd: ORDERLY });
    const b = await boot(sanitized, d, CMDLINE, '1 0 test');
    await said(d, 'hearthd is up');
    await until('a pet', () => pets(d) > 0);
    process.kill(b.init, 'SIGSTOP');
    await until('it stands', () => /^State:\s+T/m.test(read(`/proc/${b.init}/status`)));
    pets(d);
    const quiet = performance.now();
    await until('longer than three pets take', () => performance.now() - quiet > 1200);
    expect(pets(d)).toBe(0);
  });

  test('the hardware’s own word: a card reset is the watchdog’s', async () => {
    const d = device({ hearthd: ORDERLY });
    const first = await boot(sanitized, d, CMDLINE, '3 0 test');
    await said(d, 'hearthd is up');
    process.kill(first.init, 'SIGKILL');
    await first.ended;
    await boot(sanitized, d, CMDLINE, '3 0x20 test');
    await said(d, '[hearth] last reset: watchdog');
  });

  test('a hearthd that dies at once, again and again: the sixth time it reboots', async () => {
    const d = device({ hearthd: 'process.exit(1)' });
    const b = await boot(heart, d, CMDLINE);
    expect(await b.ended).toBe('SIGHUP');
    expect(console(d).match(/started hearthd/g)).toHaveLength(6);
    expect(console(d)).toContain('going down: reboot: hearthd restarted too often');
    // The next boot will count it: such a run has failed, an orderly reboot has not.
    const disk = readFileSync(join(d.files, 'disk'));
    const copies = HEART_STATE.offsets.map((offset) => disk.subarray(offset, offset + HEART_STATE.size));
    const last = copies.sort((one, two) => Number(one.readBigUInt64LE(16) - two.readBigUInt64LE(16)))[1];
    expect(last?.readUInt8(37)).toBe(2);
  });

  test('missing hardware and files do not stop it: no watchdog, no disk, no kmsg, no host name', async () => {
    const d = device({ hearthd: ORDERLY, watchdog: false });
    rmSync(join(d.files, 'etc/hearth/uuid'));
    const b = await boot(sanitized, d, '');
    await said(d, 'hearthd is up');
    process.kill(b.init, 'SIGTERM');
    expect(await b.ended).toBe('SIGHUP');
  });
});
