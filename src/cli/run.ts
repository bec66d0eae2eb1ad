import { join, resolve } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import type { MachineExit } from '../host/machine.ts';
import type { Forward } from '../host/qemu/args.ts';
import { type BuildOptions, buildProject } from './build.ts';
import { interruptible } from './interruptible.ts';
import { silent, terminalOutput } from './output.ts';
import { printJson, verb } from './verb.ts';

interface Options extends Omit<BuildOptions, 'out'> {
  headless?: boolean;
  forward: Forward[];
  fresh?: boolean;
  memory: number;
}

export function runCommand(): Command {
  return verb('run', 'Boot a firmware in QEMU, from its disk image, through the real boot loader', [
    'fw run --forward 8080:8080            build, boot, and reach the app at http://127.0.0.1:8080',
    'fw run hello-1.0.0-rpi3.fw --fresh    a firmware file, on an empty disk',
    'fw run --headless --target x86_64     for scripts: the console on standard output',
  ])
    .summary('Boot a firmware in QEMU, through the real boot loader')
    .argument('[file.fw]', 'the firmware; the default builds the project first')
    .option('-t, --target <target>', 'the board to build for')
    .option('--app <dir>', 'the project', '.')
    .option('--offline', 'build without fetching anything')
    .option('--headless', 'print the console, take no input')
    .addOption(
      new Option(
        '-f, --forward <host:guest>',
        'make a TCP port of the guest reachable at 127.0.0.1; may be given often',
      )
        .argParser(forward)
        .default([], 'none'),
    )
    .option('--fresh', 'start with an empty disk instead of the one of the last run')
    .option('--memory <MiB>', 'memory of the machine', count, 1024)
    .addHelpText(
      'after',
      `
The disk is kept in .hearth/run of the project: /data survives from run to run,
as on a device. Ctrl-A X ends the machine. With --json each line is an event:
build, disk, forwards, console, exit.`,
    )
    .action(async (file: string | undefined, options: Options, command: Command) => {
      if (file && options.target)
        command.error(`error: ${file} has its target already; leave out --target, or the file`);
      const firmware = file ? resolve(file) : await buildFirst(options);
      const folder = join(file ? resolve(firmware, '..') : resolve(options.app), '.hearth', 'run');
      const exit = await interruptible((killed) => boot(firmware, folder, options, killed));
      if (exit.error) throw exit.error;
    });
}

async function buildFirst(options: Options): Promise<string> {
  const result = await buildProject(options, options.json ? silent : terminalOutput());
  if (options.json) printJson({ event: 'build', ...result });
  return result.path;
}

async function boot(
  firmware: string,
  folder: string,
  options: Options,
  killed: AbortSignal,
): Promise<MachineExit> {
  const [{ emulatedDisk }, { startMachine }, { attachConsole }] = await Promise.all([
    import('../build/emulated-disk.ts'),
    import('../host/start.ts'),
    import('../host/attach.ts'),
  ]);
  const { json = false } = options;
  const out = json ? silent : terminalOutput();
  using disk = await emulatedDisk(firmware, folder, {
    fresh: options.fresh ?? false,
    onProgress: (progress) => {
      killed.throwIfAborted();
      out.progress(progress);
    },
  }).finally(() => out.done());
  const { path, state, signer } = disk;
  out.line(`firmware: signed by ${signer.fingerprint}${signer.comment ? ` (${signer.comment})` : ''}`);
  out.line(`disk: ${path} (${state})`);
  if (json) printJson({ event: 'disk', path, state, signer });
  killed.throwIfAborted();

  await using machine = await startMachine({
    emulator: disk.target.emulator,
    disk: path,
    workDir: disk.folder,
    memoryMb: options.memory,
    forwards: options.forward,
  });
  for (const { host, guest } of machine.forwards)
    out.line(`127.0.0.1:${host} leads to port ${guest} of the device`);
  if (json) printJson({ event: 'forwards', forwards: machine.forwards });
  const exit = await attachConsole(machine, {
    interactive: !options.headless && !json,
    signal: killed,
    ...(json ? { format: (line: string) => JSON.stringify({ event: 'console', line }) } : {}),
  });
  if (json) printJson({ event: 'exit', reason: exit.reason });
  return exit;
}

function forward(text: string, before: Forward[]): Forward[] {
  const [, host, guest] = /^(\d{1,5}):(\d{1,5})$/.exec(text) ?? [];
  if (host === undefined || guest === undefined)
    throw new InvalidArgumentError('It must be HOST:GUEST, such as 8080:80.');
  return [...before, { host: Number(host), guest: Number(guest) }];
}

function count(text: string): number {
  if (/^\d+$/.test(text)) return Number(text);
  throw new InvalidArgumentError('It must be a whole number of MiB.');
}
