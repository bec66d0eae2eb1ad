import { Command, Option } from 'commander';
import { checkCurrentFolder } from './current-folder.ts';
import { COMMON_OPTIONS, mainHelp, verbHelp } from './help.ts';
import { thisPackage } from './package.ts';
import { findCommand, throwErrors } from './usage.ts';
import { verb } from './verb.ts';
import { verbs } from './verbs.ts';

/** The whole command line: every verb, ready to be parsed, listed, or completed. */
export function fwProgram(): Command {
  const { version, docs } = thisPackage();
  const program = new Command('fw')
    .description('Turns a TypeScript app into firmware.')
    .version(version, '-V, --version', 'print the version')
    // `fw --json build` is `fw build --json`.
    .addOption(new Option('--json').hideHelp())
    .addOption(new Option('--verbose').hideHelp())
    .hook('preAction', (_, command) => {
      checkCurrentFolder();
      for (const [name, value] of Object.entries(program.opts()))
        if (name === 'json' || name === 'verbose') command.setOptionValue(name, value);
    });
  const groups = verbs();
  for (const [heading, group] of groups) {
    for (const command of group) program.addCommand(command.helpGroup(heading));
  }
  program.addCommand(helpCommand(program).helpGroup(groups.at(-1)?.[0] ?? ''));
  dressGroups(program);
  program.configureHelp(mainHelp(docs));
  throwErrors(program);
  return program;
}

/** What only holds other verbs, such as `fw key`, has the help that verbs have. */
function dressGroups(command: Command): void {
  if (command.commands.length === 0) return;
  command
    .configureHelp(verbHelp)
    .helpCommand(false)
    .addHelpOption(new Option('-h, --help', 'show this').helpGroup(COMMON_OPTIONS));
  for (const child of command.commands) dressGroups(child);
}

function helpCommand(program: Command): Command {
  return verb('help', 'Show what a verb does, its options, and examples', ['fw help build'])
    .argument('[verb...]', 'the verb; without one, all of them')
    .action((words: string[]) => findCommand(program, words).help());
}
