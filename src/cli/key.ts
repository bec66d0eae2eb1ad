import { Command } from 'commander';
import { verbHelp } from './help.ts';
import { operatorsCommand } from './operators.ts';
import { type CommonOptions, verb } from './verb.ts';

export interface KeyOptions extends CommonOptions {
  /** The project's folder, where one was named. */
  app?: string;
}

export interface RotationOptions extends CommonOptions {
  app: string;
  to?: string;
  drop?: string;
}

export function keyCommand(): Command {
  const command = new Command('key')
    .description('Make, list, back up and replace the keys that sign firmware')
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
  for (const one of [
    newKey(),
    list(),
    show(),
    exportKey(),
    importKey(),
    trust(),
    rotate(),
    operatorsCommand(),
  ])
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
const rotations = () => import('./key-rotation.ts');

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

function trust(): Command {
  return verb('trust', 'Have devices take firmware that another key has signed, too', [
    'fw key trust colleague.pub    from the next release on, which the key of today signs',
    'fw key trust sensor-2         a key of this machine, by its name',
  ])
    .argument('<file>', 'the public half of an ed25519 key, or the name of a key of this machine')
    .option('--app <dir>', 'the project', '.')
    .addHelpText(
      'after',
      `
Adds it to updateKeys of fw.config.ts, behind the others: the first one signs.`,
    )
    .action(async (key: string, options: RotationOptions) => (await rotations()).trust(key, options));
}

function rotate(): Command {
  return verb('rotate', 'Replace the signing key, in three releases', [
    'fw key rotate                  1: makes a new key; this release is signed by the old one',
    'fw key rotate --to sensor-2    2: the next release is signed by the new one',
    'fw key rotate --drop sensor    3: the release after it trusts the old one no more',
  ])
    .option('--to <key>', 'have this trusted key sign from now on')
    .option('--drop <key>', 'trust this key no more')
    .option('--app <dir>', 'the project', '.')
    .addHelpText(
      'after',
      `
A device takes a firmware only by a key that the one it runs trusts: it needs
release 1 before release 2. Each step changes updateKeys of fw.config.ts, and
says what comes next. KEY is a comment in that list, or a fingerprint.`,
    )
    .action(async (options: RotationOptions) => (await rotations()).rotate(options));
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
