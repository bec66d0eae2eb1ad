import type { Command } from 'commander';
import type { ListedTarget } from '../build/target-list.ts';
import { table } from './table.ts';
import { type CommonOptions, printResult, verb } from './verb.ts';

interface Options extends CommonOptions {
  app?: string;
}

const BOOTS = { uefi: 'UEFI', pi: 'Pi firmware' } as const;

export function targetsCommand(): Command {
  return verb('targets', 'List the boards that firmware can be built for', [
    'fw targets           those of the project in this folder have a star',
    'fw targets --json     with the sizes of their slots',
  ])
    .option('--app <dir>', 'the project whose targets are marked')
    .action(async (options: Options) => {
      const { listTargets } = await import('../build/target-list.ts');
      const list = await listTargets(options.app);
      printResult(list, options, () =>
        [
          ...table([['  TARGET', 'ARCH', 'KERNEL', 'NODE', 'BOOTS BY', ''], ...list.targets.map(row)]),
          ...(list.project ? [`* of ${list.project}`] : []),
        ].join('\n'),
      );
    });
}

function row({ name, arch, kernel, node, boots, description, ofProject }: ListedTarget): string[] {
  // '6.12.117+deb13-amd64': Debian's revision and flavour say nothing that the architecture does not.
  const [version = kernel] = kernel.split('+');
  return [`${ofProject ? '*' : ' '} ${name}`, arch, version, node, BOOTS[boots], description];
}
