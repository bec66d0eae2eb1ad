import { Argument, type Command } from 'commander';
import { type CommonOptions, printResult, verb } from './verb.ts';

export function completionCommand(): Command {
  return verb('completion', 'Print what makes a shell complete fw on Tab', [
    'fw completion bash > ~/.local/share/bash-completion/completions/fw',
    'fw completion zsh > ~/.zfunc/_fw    a folder of your fpath',
    'fw completion fish > ~/.config/fish/completions/fw.fish',
  ])
    .addArgument(new Argument('<shell>', 'the shell').choices(['bash', 'zsh', 'fish']))
    .addHelpText(
      'after',
      `
The script is complete in itself: Tab starts no fw. Print it again after an
update of hearthfw. For one session: source <(fw completion bash)`,
    )
    .action(async (shell: 'bash' | 'zsh' | 'fish', options: CommonOptions, command: Command) => {
      const [{ describeTree }, { bashCompletion }, { zshCompletion }, { fishCompletion }] = await Promise.all(
        [
          import('./completion/tree.ts'),
          import('./completion/bash.ts'),
          import('./completion/zsh.ts'),
          import('./completion/fish.ts'),
        ],
      );
      const tree = describeTree(command.parent ?? command);
      const script = { bash: bashCompletion, zsh: zshCompletion, fish: fishCompletion }[shell](tree);
      printResult({ shell, script }, options, () => script.trimEnd());
    });
}
