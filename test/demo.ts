// `npm run demo`: the spine, live. Builds hello, boots it from its disk image through the real boot loader, and
// breaks it in every way that the watchdog chain promises to survive. Prints what it does and what the device says.
import { styleText } from 'node:util';
import { writeImage } from '../src/build/image.ts';
import type { Machine } from '../src/host/machine.ts';
import { startMachine } from '../src/host/start.ts';
import { buildExample, temporaryFolder } from './firmware.ts';

const DISK_SIZE = 1024 ** 3;
const BOOT = { timeoutMs: 240_000 };
const RECOVERY = { timeoutMs: 120_000 };

function say(text: string): void {
  process.stdout.write(`${styleText('bold', `demo: ${text}`)}\n`);
}

/** Shows the console as it grows; the rest of the demo waits on the same lines. */
async function follow(machine: Machine): Promise<void> {
  for await (const line of machine.console) process.stdout.write(`${styleText('dim', `  | ${line}`)}\n`);
}

async function page(machine: Machine): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${machine.portOf(8080)}/`);
  const html = await response.text();
  return `${response.status}, ${html.length} bytes: ${/<title>([^<]*)/.exec(html)?.[1] ?? html.slice(0, 60)}`;
}

async function pidOf(machine: Machine, what: 'hearthd' | 'app'): Promise<string> {
  const cgroup = { hearthd: 'hearthd', app: 'app/main' }[what];
  return (await machine.shell.text(`cat /sys/fs/cgroup/${cgroup}/cgroup.procs | head -n 1`)).trim();
}

async function boot(app: 'hello', target: 'x86_64' | 'rpi3', folder: string): Promise<Machine> {
  say(`fw build --app firmware/apps/${app} --target ${target}`);
  const firmware = await buildExample(app, target, folder);
  say(`${(firmware.size / 1e6).toFixed(1)} MB, version ${firmware.version}, uuid ${firmware.uuid}`);
  const disk = `${folder}/${target}.img`;
  await writeImage(firmware.path, disk, { size: DISK_SIZE });
  say(`booting the disk image in QEMU (${target})`);
  const machine = await startMachine({
    emulator: target === 'x86_64' ? 'q35' : 'raspi3b',
    disk,
    workDir: `${folder}/${target}`,
    forwards: [{ host: 0, guest: 8080 }],
  });
  void follow(machine);
  await machine.console.waitFor(/\[hearth\] ready .*/, BOOT);
  say(`the page: ${await page(machine)}`);
  return machine;
}

async function breakThings(machine: Machine): Promise<void> {
  const { shell, console: lines } = machine;
  const app = await pidOf(machine, 'app');
  say(`kill -9 the app (pid ${app})`);
  await shell.text(`kill -9 ${app}`);
  await lines.waitFor(/app: .*serving/, RECOVERY);
  say(`the app is back as pid ${await pidOf(machine, 'app')}; the page: ${await page(machine)}`);

  const hearthd = await pidOf(machine, 'hearthd');
  say(`kill -9 hearthd (pid ${hearthd})`);
  await shell.text(`kill -9 ${hearthd}`);
  await lines.waitFor(/app: .*serving/, RECOVERY);
  say(`hearthd is back as pid ${await pidOf(machine, 'hearthd')}; the page: ${await page(machine)}`);

  const stopped = await pidOf(machine, 'hearthd');
  say(`kill -STOP hearthd (pid ${stopped}): it hangs`);
  await shell.text(`kill -STOP ${stopped}`);
  await lines.waitFor(/has not beaten/, RECOVERY);
  await lines.waitFor(/app: .*serving/, RECOVERY);
  say(
    `heart killed it; it is back as pid ${await pidOf(machine, 'hearthd')}; the page: ${await page(machine)}`,
  );

  say("heart stops petting: the hardware's turn");
  const reset = machine.waitForReset(RECOVERY);
  await shell.text('heart test-watchdog');
  say(`the machine was reset by: ${(await reset).cause}`);
  const cause = await lines.waitFor(/\[hearth\] last reset: .*/, BOOT);
  say(`the next boot says: ${cause[0]}`);
  await lines.waitFor(/\[hearth\] ready .*/, BOOT);
  say(`the page: ${await page(machine)}`);
}

async function powerOff(machine: Machine): Promise<void> {
  say('kill -USR2 1: power off');
  // The shell goes down with the machine: no answer is expected.
  await machine.shell.send('kill -USR2 1');
  say(`the machine is off: ${(await machine.exited).reason}`);
}

await using folder = await temporaryFolder();
{
  await using machine = await boot('hello', 'x86_64', folder.path);
  await breakThings(machine);
  await powerOff(machine);
}
{
  await using machine = await boot('hello', 'rpi3', folder.path);
  await powerOff(machine);
}
say('done');
