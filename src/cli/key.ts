import { Command } from 'commander';
import { verbHelp } from './help.ts';
import { operatorsCommand } from './operators.ts';
import { type CommonOptions, verb } from './verb.ts';

export interface KeyOptions extends CommonOptions {
  /** The project's folder, where one was named. */
  app?: string;
}

export function keyCommand(): Command {
  const command = new Command('key')
    .description('Make, list, show and back up the keys that sign firmware')
    .configureHelp({ ...verbHelp, subcommandTerm: term })
    .helpCommand(false)
    .addHelpText(
      'after',
      `
A key is an OpenSSH private key (ed25519) in ~/.config/hearth/keys; HEARTH_KEYS
names another folder. Its public half belongs into updateKeys of fw.config.ts:
devices take updates only from firmware that such a key has signed.

Examples:
  fw key new sensor
  fw key export sensor > sensor.key`,
    );
  for (const one of [newKey(), list(), show(), exportKey(), importKey(), operatorsCommand()])
    command.addCommand(one);
  return command;
}

function term(command: Command): string {
  const names = command.registeredArguments.map((argument) =>
    argument.required ? `<${argument.name()}>` : `[${argument.name()}]`,
  );
  return [command.name(), ...names].join(' ');
}

const actions = () => import('./key-actions.ts');

function newKey(): Command {
  return verb('new', 'Make a signing key', ['fw key new sensor    named after the product that it signs for'])
    .argument('<name>', 'what it is called on this machine')
    .action(async (name: string, options: CommonOptions) => (await actions()).makeKey(name, options));
}

function list(): Command {
  return verb('list', 'List the signing keys of this machine', [
    'fw key list    which there are, and which of them the project in this folder trusts',
  ])
    .option('--app <dir>', 'the project; the default is the one in this folder, if any')
    .action(async (options: KeyOptions) => (await actions()).listKeys(options));
}

function show(): Command {
  return verb('show', 'Show a key: its fingerprint, its file, and its public half', [
    'fw key show sensor    the key of that name',
    'fw key show           the key that a build of the project in this folder is signed with',
  ])
    .argument('[name]', 'the key')
    .option('--app <dir>', 'the project; the default is the one in this folder, if any')
    .action(async (name: string | undefined, options: KeyOptions) =>
      name === undefined ? (await actions()).showSigner(options) : (await actions()).showKey(name, options),
    );
}

function exportKey(): Command {
  return verb('export', 'Print a private key: for a backup, a colleague, or a CI secret', [
    'fw key export sensor > sensor.key    keep that file off this machine',
    'fw key export sensor | gh secret set HEARTH_SIGNING_KEY',
  ])
    .argument('<name>', 'the key')
    .action(async (name: string, options: CommonOptions) => (await actions()).exportKey(name, options));
}

function importKey(): Command {
  return verb('import', "Take over a key that was made elsewhere, such as a colleague's", [
    'fw key import sensor sensor.key      a file that fw key export has made',
    'fw key import sensor < sensor.key    the same from standard input',
  ])
    .argument('<name>', 'what it is called on this machine')
    .argument('[file]', 'the private key; the default is standard input')
    .action(async (name: string, file: string | undefined, options: CommonOptions) =>
      (await actions()).takeOverKey(name, file, options),
    );
}
