import { join, resolve } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { emulatedDisk } from '../build/emulated-disk.ts';
import { buildFirmware } from '../build/firmware.ts';
import { FwError } from '../errors.ts';
import { attachConsole } from '../host/attach.ts';
import type { Forward } from '../host/qemu/args.ts';
import { startMachine } from '../host/start.ts';
import { loadProject } from '../project/load.ts';
import { type Output, terminalOutput } from './output.ts';
import { type CommonOptions, verb } from './verb.ts';

interface Options extends CommonOptions {
  target?: string;
  app: string;
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
    .argument('[file.fw]', 'the firmware; the default builds the project first')
    .option('-t, --target <name>', 'the board to build for')
    .option('--app <dir>', 'the project', '.')
    .option('--headless', 'print the console, take no input')
    .option(
      '-f, --forward <host:guest>',
      'make a TCP port of the guest reachable at 127.0.0.1; may be given often',
      forward,
      [],
    )
    .option('--fresh', 'start with an empty disk instead of the one of the last run')
    .option('--memory <MiB>', 'memory of the machine', count, 1024)
    .addHelpText(
      'after',
      `
The disk is kept in .hearth/run of the project: /data survives from run to run, as on a device.
Ctrl-A X ends the machine.`,
    )
    .action(async (file: string | undefined, options: Options, command: Command) => {
      if (file && options.target)
        command.error(`error: ${file} has its target already; leave out --target, or the file`);
      const out = terminalOutput();
      const firmware = file ? resolve(file) : await build(options, out);
      const folder = join(file ? resolve(firmware, '..') : resolve(options.app), '.hearth', 'run');
      const disk = await emulatedDisk(firmware, folder, { fresh: options.fresh ?? false });
      out.line(`disk: ${disk.path} (${disk.state})`);
      const machine = await startMachine({
        emulator: disk.target.emulator,
        disk: disk.path,
        workDir: disk.folder,
        memoryMb: options.memory,
        forwards: options.forward,
      });
      for (const { host, guest } of machine.forwards)
        out.line(`127.0.0.1:${host} leads to port ${guest} of the device`);
      const exit = await attachConsole(machine, { interactive: !options.headless });
      if (exit.reason === 'failed') {
        throw (
          exit.error ??
          new FwError('machine-failed', `the machine ended with ${exit.signal ?? `status ${exit.code}`}`)
        );
      }
    });
}

async function build(options: Options, out: Output): Promise<string> {
  const project = await loadProject(options.app);
  const { path } = await buildFirmware(project, {
    ...(options.target ? { target: options.target } : {}),
    onProgress: (progress) => out.step(progress.step),
  });
  out.done();
  return path;
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
