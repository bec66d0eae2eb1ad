import { join, relative } from 'node:path';
import { type Command, Option } from 'commander';
import type { NewProject } from '../project/new/create.ts';
import { shellWord } from '../shell-words.ts';
import { type CommonOptions, printResult, verb } from './verb.ts';

interface Options extends CommonOptions {
  target?: string[];
  name?: string;
  key?: string;
  hearthfw?: string;
}

const DEFAULT_TARGET = 'x86_64';

export function newCommand(): Command {
  return verb('new', 'Make a new project, and its signing key', [
    'fw new sensor                     a project in the new folder sensor, for a PC or QEMU',
    'fw new sensor --target rpi3       for a Raspberry Pi 3',
    'fw new . --name sensor            in this folder, which must be empty',
    'fw new sensor2 --key sensor       signed with a key that is there already',
  ])
    .argument('<dir>', 'the folder, new or empty')
    .option('-t, --target <target>', `a board; may be given often; the default is ${DEFAULT_TARGET}`, collect)
    .option('--name <name>', "the product's name; the default is the folder's")
    .option('--key <name>', 'sign with this key of yours (see fw key list); the default is a new one')
    .addOption(
      new Option('--hearthfw <spec>', 'what package.json says of hearthfw, such as file:../x.tgz').hideHelp(),
    )
    .action(async (dir: string, { target, name, key, hearthfw, ...options }: Options) => {
      const [{ createProject }, { loadTarget }, { keyFolder }, { homeFolder }] = await Promise.all([
        import('../project/new/create.ts'),
        import('../build/targets.ts'),
        import('../project/keys/folder.ts'),
        import('../project/home.ts'),
      ]);
      const targets = [...new Set(target ?? [DEFAULT_TARGET])];
      for (const one of targets) await loadTarget(one);
      const project = await createProject(
        {
          dir,
          targets,
          ...(name ? { name } : {}),
          ...(key ? { key } : {}),
          ...(hearthfw ? { hearthfw } : {}),
        },
        {
          keyFolder: keyFolder(),
          sshFolder: join(homeFolder(), '.ssh'),
          agentSocket: process.env.SSH_AUTH_SOCK,
        },
      );
      printResult(forPrograms(project), options, () => forPeople(project));
    });
}

function collect(one: string, before: string[] = []): string[] {
  return [...before, one];
}

function forPrograms({ key, keyIsNew, ...project }: NewProject): object {
  const { name, path, publicKey } = key;
  return { ...project, key: { name, path, publicKey: publicKey.line, isNew: keyIsNew } };
}

function forPeople({ dir, name, targets, key, keyIsNew, sshKeys }: NewProject): string {
  const here = relative('', dir);
  const ssh =
    sshKeys.length > 0
      ? sshKeys.map(({ line, from }) => `  ${from}  ${line.split(' ').slice(2).join(' ')}`.trimEnd())
      : [
          '  none found. To add one, put a public key (ssh-keygen -t ed25519 makes it) into',
          '  sshKeys of fw.config.ts.',
        ];
  return [
    `Made ${name} for ${targets.join(', ')} in ${here || 'this folder'}.`,
    '',
    `Signing key (${keyIsNew ? 'new' : 'yours'}; devices take only updates that it has signed):`,
    `  ${key.path}`,
    ...(keyIsNew
      ? [
          '  It is not in the project, and nobody else has it. Back it up: copy that file',
          '  to a safe place. Without it, devices in the field can never be updated again.',
        ]
      : []),
    '',
    'SSH keys that may log in (recorded now; devices open SSH in a later version):',
    ...ssh,
    '',
    'Next:',
    ...(here ? [`  cd ${shellWord(here)}`] : []),
    '  npm install',
    '  npx fw build',
    '  npx fw run --forward 8080:8080    then open http://localhost:8080',
  ].join('\n');
}
