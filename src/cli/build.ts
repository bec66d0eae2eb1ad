import { resolve } from 'node:path';
import { Command } from 'commander';
import { buildFirmware } from '../build/firmware.ts';
import { loadProject } from '../project/load.ts';
import { megabytes, silent, terminalOutput } from './output.ts';

interface Options {
  target?: string;
  app: string;
  out?: string;
  json?: boolean;
}

export function buildCommand(): Command {
  return new Command('build')
    .description('Build the firmware of a project: one signed .fw file')
    .option('-t, --target <name>', "the board; the default is the first of the project's targets")
    .option('--app <dir>', 'the project', '.')
    .option('-o, --out <file>', 'where the .fw goes; the default is NAME-VERSION-TARGET.fw in the project')
    .option('--json', 'print one JSON object about the result')
    .addHelpText(
      'after',
      `
Examples:
  fw build                              the project in this folder, for its first target
  fw build --target rpi3                for a Raspberry Pi 3
  fw build --app apps/hello --json      another folder; the result as JSON`,
    )
    .action(async (options: Options) => {
      const out = options.json ? silent : terminalOutput();
      const project = await loadProject(options.app);
      const result = await buildFirmware(project, {
        ...(options.target ? { target: options.target } : {}),
        ...(options.out ? { out: resolve(options.out) } : {}),
        onStep: (text) => out.step(text),
      });
      out.done();
      if (options.json) {
        process.stdout.write(`${JSON.stringify(result)}\n`);
        return;
      }
      if (result.exampleKey)
        out.line('warning: signed with the public example key: anyone can sign for this device');
      if (result.dev) out.line('note: a development firmware (dev: true); never ship it');
      const seconds = Object.values(result.seconds).reduce((sum, step) => sum + step, 0);
      out.line(
        `${result.path}  ${megabytes(result.size)}  ${result.version} ${result.target}  in ${seconds.toFixed(1)} s`,
      );
      out.line(`uuid   ${result.uuid}`);
      out.line(`sha256 ${result.sha256}`);
    });
}
