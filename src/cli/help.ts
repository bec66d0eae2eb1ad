import { styleText } from 'node:util';
import { type Command, Help, type HelpConfiguration } from 'commander';

/** The group of the options that every verb has; it stands last. */
export const COMMON_OPTIONS = 'Common options:';

// Commander takes colours away again where the stream has none.
const title = (text: string): string => styleText('bold', text, { validateStream: false });

/** How the help of a verb looks: its own options, then the common ones, then what else it says. */
export const verbHelp: HelpConfiguration = {
  styleTitle: title,
  subcommandTerm: (command) =>
    [command.name(), command.usage().replace(/^\[options\] ?/, '')].join(' ').trim(),
  groupItems(unsorted, visible, groupOf) {
    const groups = new Help().groupItems(unsorted, visible, groupOf);
    const common = groups.get(COMMON_OPTIONS);
    if (!common) return groups;
    groups.delete(COMMON_OPTIONS);
    return groups.set(COMMON_OPTIONS, common);
  },
};

/** Wider commands have what they do on the next line. */
const MAX_EXAMPLE = 42;

/** Lines of 'command  what it does', in two columns and broken to the width of whoever reads. */
export function examplesHelp(examples: readonly string[], command: Command, error: boolean): string {
  const help = Object.assign(new Help(), { minWidthToWrap: 20 });
  const { getOutHelpWidth, getErrHelpWidth } = command.configureOutput();
  const helpWidth = (error ? getErrHelpWidth : getOutHelpWidth)?.() ?? 80;
  help.prepareContext({ helpWidth });
  const rows = examples.map((line) => {
    const [term = '', text = ''] = line.split(/ {2,}(.*)/s);
    return { term, text, wide: term.length > MAX_EXAMPLE };
  });
  const width = Math.max(0, ...rows.filter(({ wide }) => !wide).map(({ term }) => term.length));
  const lines = rows.map(({ term, text, wide }) => {
    if (!wide) return help.formatItem(term, width, text, help);
    return text ? `  ${term}\n      ${help.boxWrap(text, helpWidth - 6)}` : `  ${term}`;
  });
  return ['', title('Examples:'), ...lines].join('\n');
}

const FIRST_STEPS = [
  'fw new hello && cd hello      a project, with a signing key of its own',
  'fw run --forward 8080:8080    build it, and boot it here',
];

/** The help of fw itself: fits a terminal of 80 x 24, hence so few empty lines. */
export function mainHelp(docs: string | undefined): HelpConfiguration {
  return {
    formatHelp(program, helper) {
      // The last line says it.
      const shown = helper.visibleCommands(program).filter((command) => command.name() !== 'help');
      const width = Math.max(...shown.map((command) => command.name().length));
      const groups = helper.groupItems([...program.commands], shown, (command: Command) =>
        command.helpGroup(),
      );
      const lines = [`${title('Usage:')} fw <verb> [options]    ${program.description()}`, ''];
      for (const [heading, commands] of groups) {
        lines.push(title(heading.replace(/:$/, '')));
        for (const command of commands as Command[])
          lines.push(`  ${command.name().padEnd(width)}  ${helper.subcommandDescription(command)}`);
      }
      lines.push(title('First steps'), ...FIRST_STEPS.map((line) => `  ${line}`));
      lines.push(`${title('More:')} fw help <verb>${docs ? `    ${title('Docs:')} ${docs}` : ''}`);
      return `${lines.join('\n')}\n`;
    },
  };
}
