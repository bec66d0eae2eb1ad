import type { Command } from 'commander';
import { findingsText, writesUnicode } from './doctor-text.ts';
import { type CommonOptions, printResult, verb } from './verb.ts';

interface Options extends CommonOptions {
  app: string;
  online?: boolean;
}

export function doctorCommand(): Command {
  return verb('doctor', 'Say what is missing on this machine, and the command that fixes it', [
    'fw doctor                 for the project in this folder, or for all targets',
    'fw doctor --online        also ask whether npm and the mirrors answer',
    'fw doctor --json          the findings as JSON, for CI',
  ])
    .summary('Say what is missing on this machine, and what fixes it')
    .option('--app <dir>', 'the project', '.')
    .option('--online', 'also ask registries and mirrors; otherwise nothing leaves this machine')
    .addHelpText(
      'after',
      `
It downloads nothing and changes nothing. It ends with status 1 when something
stops fw build.`,
    )
    .action(async (options: Options) => {
      const { examine } = await import('../host/doctor/index.ts');
      const findings = await examine(options);
      const ok = findings.every(({ stops }) => stops !== 'fw build');
      printResult({ ok, findings }, options, () =>
        findingsText(findings, { stream: process.stdout, unicode: writesUnicode(process.env) }),
      );
      if (!ok) process.exitCode = 1;
    });
}
