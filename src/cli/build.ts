import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { BuildResult } from '../build/firmware.ts';
import { megabytes } from '../units.ts';
import { type Output, silent, terminalOutput } from './output.ts';
import { type CommonOptions, printResult, verb } from './verb.ts';

export interface BuildOptions extends CommonOptions {
  target?: string;
  app: string;
  out?: string;
  offline?: boolean;
}

export function buildCommand(): Command {
  return verb('build', 'Build the firmware of a project: one signed .fw file', [
    'fw build                              the project in this folder, for its first target',
    'fw build --target rpi3                for a Raspberry Pi 3',
    'fw build --app apps/hello --json      another folder; the result as JSON',
  ])
    .option('-t, --target <target>', "the board; the default is the first of the project's targets")
    .option('--app <dir>', 'the project', '.')
    .option('-o, --out <file.fw>', 'where the .fw goes; the default is NAME-VERSION-TARGET.fw in the project')
    .option('--offline', 'fetch nothing; what is not on this machine yet is an error')
    .action(async (options: BuildOptions) => {
      const out = options.json ? silent : terminalOutput();
      const result = await buildProject(options, out);
      if (options.verbose) out.line(stepTimes(result));
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

/** Builds a project, with progress, and says what should not be overlooked about the result. */
export async function buildProject(options: BuildOptions, out: Output): Promise<BuildResult> {
  const [{ buildFirmware }, { loadProject }] = await Promise.all([
    import('../build/firmware.ts'),
    import('../project/load.ts'),
  ]);
  try {
    const project = await loadProject(options.app);
    const result = await buildFirmware(project, {
      ...(options.target ? { target: options.target } : {}),
      ...(options.out ? { out: resolve(options.out) } : {}),
      ...(options.offline ? { offline: true } : {}),
      onProgress: (progress) => out.progress(progress),
    });
    if (result.exampleKey) out.warn('signed with the public example key: anyone can sign for this device');
    if (result.dev) out.line('note: a development firmware (dev: true); never ship it');
    return result;
  } finally {
    out.done();
  }
}

function stepTimes({ seconds, cached }: BuildResult): string {
  const steps = Object.entries(seconds).map(([name, time]) => `${name} ${time.toFixed(2)} s`);
  const { hits, misses } = cached.files;
  return `${steps.join(', ')}; system ${cached.system ? 'from the cache' : 'made anew'}; cache: ${hits} found, ${misses} made`;
}
