// `npm run demo`: the spine, live. Builds hello, boots it from its disk image through the real boot loader, breaks it in every way
// that the watchdog chain promises to survive, and updates it. Prints what it does and what the device says.
import { styleText } from 'node:util';
import { type BuildResult, buildFirmware } from '../src/build/firmware.ts';
import { writeImage } from '../src/build/image.ts';
import type { Machine } from '../src/host/machine.ts';
import { startMachine } from '../src/host/start.ts';
import { loadProject } from '../src/project/load.ts';
import { BenchProject } from './demo-project.ts';
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

async function boot(firmware: BuildResult, folder: string): Promise<Machine> {
  const { target } = firmware;
  say(`${(firmware.size / 1e6).toFixed(1)} MB, version ${firmware.version}, uuid ${firmware.uuid}`);
  const disk = `${folder}/${target}.img`;
  await writeImage(firmware.path, disk, { size: DISK_SIZE });
  say(`booting the disk image in QEMU (${target})`);
  const machine = await startMachine({
    emulator: target === 'x86_64' ? 'q35' : 'raspi3b',
    disk,
    workDir: `${folder}/${target}`,
    forwards: [8080, 22].map((guest) => ({ host: 0, guest })),
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

/** Good, bad, and unsigned: each as a developer would send it. */
async function update(machine: Machine, project: BenchProject): Promise<void> {
  const run = async (line: string): Promise<void> => {
    say(line);
    const status = await project.run(line, (said) => process.stdout.write(`  ${said}\n`));
    say(`exit status ${status}; the page: ${await page(machine)}`);
  };
  say('version 1.1.0 has another greeting');
  await project.knows(machine.portOf(22));
  await project.release('1.1.0');
  await project.edit('fw.config.ts', 'Hello from Hearth', 'Hello from 1.1.0');
  await run('fw upload bench');

  say('version 1.2.0 crashes at every start');
  await project.release('1.2.0');
  await project.edit('src/app.ts', 'const server = createApp(greeting);', "throw new Error('out of milk');");
  await run('fw upload bench');

  say('a firmware without its signature: to fw, and to the device itself');
  await run('fw build --out unsigned.fw >/dev/null && tar --delete -f unsigned.fw manifest.json.sig');
  await run('fw upload bench unsigned.fw');
  await run('ssh bench update <unsigned.fw');
}

await using folder = await temporaryFolder();
{
  const project = await BenchProject.create(folder.path);
  say('fw build --target x86_64');
  await using machine = await boot(
    await buildFirmware(await loadProject(project.dir), { target: 'x86_64', out: `${folder.path}/hello.fw` }),
    folder.path,
  );
  await breakThings(machine);
  await update(machine, project);
  await powerOff(machine);
}
{
  say('fw build --app firmware/apps/hello --target rpi3');
  await using machine = await boot(await buildExample('hello', 'rpi3', folder.path), folder.path);
  await powerOff(machine);
}
say('done');
