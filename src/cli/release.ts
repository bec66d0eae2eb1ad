import { resolve } from 'node:path';
import type { Command } from 'commander';
import { megabytes } from '../units.ts';
import { silent, terminalOutput } from './output.ts';
import { type CommonOptions, printResult, verb } from './verb.ts';

interface Options extends CommonOptions {
  target: string;
  app: string;
  out?: string;
  offline?: boolean;
}

export function releaseCommand(): Command {
  return verb('release', 'Make a self-contained release of the app for Linux servers', [
    'fw release                        the project in this folder, for x64',
    'fw release --target linux_arm64   for arm64',
    'fw release --out dist --json      another folder; the result as JSON',
  ])
    .option('-t, --target <name>', 'linux_x64 or linux_arm64', 'linux_x64')
    .option('--app <dir>', 'the project', '.')
    .option('-o, --out <dir>', 'where the folder and the .tar.gz go; the default is the project')
    .option('--offline', 'fetch nothing; what is not on this machine yet is an error')
    .addHelpText(
      'after',
      `
It holds the app, its supervisor, heart and Node itself; the server needs no npm
and no Node. There: bin/NAME start, stop, restart, pid, version, eval.`,
    )
    .action(async (options: Options) => {
      const [{ releaseApp }, { loadProject }] = await Promise.all([
        import('../build/release/index.ts'),
        import('../project/load.ts'),
      ]);
      const out = options.json ? silent : terminalOutput();
      try {
        const result = await releaseApp(await loadProject(options.app), {
          target: options.target,
          ...(options.out ? { out: resolve(options.out) } : {}),
          ...(options.offline ? { offline: true } : {}),
          onProgress: (progress) => out.progress(progress),
        });
        if (result.dev) out.line('note: a development release (dev: true): FW_ENV is dev');
        printResult(result, options, () =>
          [
            `${result.archive}  ${megabytes(result.size)}  ${result.version} ${result.target}  Node ${result.node}`,
            `folder ${result.folder}`,
            `id     ${result.id}`,
            `sha256 ${result.sha256}`,
          ].join('\n'),
        );
      } finally {
        out.done();
      }
    });
}
