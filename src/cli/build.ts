import { resolve } from 'node:path';
import type { Command } from 'commander';
import { buildFirmware } from '../build/firmware.ts';
import { loadProject } from '../project/load.ts';
import { megabytes, silent, terminalOutput } from './output.ts';
import { type CommonOptions, printResult, verb } from './verb.ts';

interface Options extends CommonOptions {
  target?: string;
  app: string;
  out?: string;
}

export function buildCommand(): Command {
  return verb('build', 'Build the firmware of a project: one signed .fw file', [
    'fw build                              the project in this folder, for its first target',
    'fw build --target rpi3                for a Raspberry Pi 3',
    'fw build --app apps/hello --json      another folder; the result as JSON',
  ])
    .option('-t, --target <name>', "the board; the default is the first of the project's targets")
    .option('--app <dir>', 'the project', '.')
    .option('-o, --out <file>', 'where the .fw goes; the default is NAME-VERSION-TARGET.fw in the project')
    .action(async (options: Options) => {
      const out = options.json ? silent : terminalOutput();
      const project = await loadProject(options.app);
      const result = await buildFirmware(project, {
        ...(options.target ? { target: options.target } : {}),
        ...(options.out ? { out: resolve(options.out) } : {}),
        onProgress: (progress) => out.step(progress.step),
      });
      out.done();
      if (result.exampleKey)
        out.line('warning: signed with the public example key: anyone can sign for this device');
      if (result.dev) out.line('note: a development firmware (dev: true); never ship it');
      const seconds = Object.values(result.seconds).reduce((sum, step) => sum + step, 0);
      printResult(result, options, () =>
        [
          `${result.path}  ${megabytes(result.size)}  ${result.version} ${result.target}  in ${seconds.toFixed(1)} s`,
          `uuid   ${result.uuid}`,
          `sha256 ${result.sha256}`,
        ].join('\n'),
      );
    });
}
