import { fstatSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { text } from 'node:stream/consumers';
import { fingerprint, isExampleKey, parsePublicKey, sameKey } from '../archive/index.ts';
import { findSigner } from '../build/signing.ts';
import { FwError } from '../errors.ts';
import {
  checkKeyName,
  keyFolder,
  privateText,
  readKeyFolder,
  type StoredKey,
  storedKey,
} from '../project/keys/folder.ts';
import { createKey, importKey } from '../project/keys/store.ts';
import { loadProject, type Project } from '../project/load.ts';
import { shellWord } from '../shell-words.ts';
import type { KeyOptions } from './key.ts';
import { type CommonOptions, printResult } from './verb.ts';

export function makeKey(name: string, options: CommonOptions): void {
  const key = createKey(name, keyFolder());
  printResult(facts(key), options, () =>
    [
      `Made the signing key ${name}.`,
      '',
      ...table(key),
      '',
      'Put the public half into updateKeys of fw.config.ts.',
      '',
      `Back it up now, off this machine: fw key export ${name} > ${name}.key`,
      'If it is lost, devices that trust no other key can never be updated again,',
      'except by writing their cards anew.',
    ].join('\n'),
  );
}

export async function listKeys(options: KeyOptions): Promise<void> {
  const folder = keyFolder();
  const { keys, unusable } = readKeyFolder(folder);
  const project = await projectHere(options);
  const broken = unusable.map(({ name, path, why }) => ({ name, path, problem: why.message }));
  printResult({ folder, keys: keys.map((key) => facts(key, project)), unusable: broken }, options, () => {
    if (keys.length + broken.length === 0)
      return `There is no signing key in ${folder}. Make one: fw key new NAME`;
    const width = Math.max(...[...keys, ...broken].map(({ name }) => name.length));
    return [
      ...keys.map((key) =>
        [key.name.padEnd(width), fingerprint(key.publicKey), notes(key, project).join('; ')]
          .join('  ')
          .trimEnd(),
      ),
      ...broken.map(({ name, problem }) => `${name.padEnd(width)}  not usable: ${problem}`),
    ].join('\n');
  });
}

export async function showKey(name: string, options: KeyOptions): Promise<void> {
  const key = storedKey(name, keyFolder());
  const project = await projectHere(options);
  printResult(facts(key, project), options, () =>
    [...table(key), ...notes(key, project).map((note) => `${LABEL}${note}`)].join('\n'),
  );
}

/** The key that the project would be signed with. */
export async function showSigner(options: KeyOptions): Promise<void> {
  const project = await loadProject(options.app ?? '.');
  const { publicKey, source } = await findSigner(project);
  const { name } = project.config;
  const key = parsePublicKey(publicKey);
  const exampleKey = isExampleKey(key);
  const result = { project: name, fingerprint: fingerprint(key), publicKey, source, exampleKey };
  printResult(result, options, () =>
    [
      `${name} is signed with`,
      `fingerprint  ${result.fingerprint}`,
      `found in     ${source}`,
      `public half  ${publicKey}`,
      ...(exampleKey ? [`${LABEL}the example key: everybody has it`] : []),
    ].join('\n'),
  );
}

export function exportKey(name: string, options: CommonOptions): void {
  const key = storedKey(name, keyFolder());
  const privateKey = privateText(key);
  if (!options.json) {
    const others = othersCanRead(process.stdout.fd)
      ? 'Others on this machine can read the file that it goes into: chmod 600 it.\n'
      : '';
    process.stderr.write(
      `This is the private half of ${name}. Whoever has it can sign firmware that your devices take: keep it secret.\n${others}`,
    );
  }
  printResult({ ...facts(key), privateKey }, options, () => privateKey.trimEnd());
}

export async function takeOverKey(
  name: string,
  file: string | undefined,
  options: CommonOptions,
): Promise<void> {
  checkKeyName(name);
  if (file === undefined && process.stdin.isTTY)
    process.stderr.write('Paste the private key, then press Ctrl-D.\n');
  const given = file === undefined ? await text(process.stdin) : await readKeyFile(file);
  const key = importKey(name, keyFolder(), given, file ?? 'standard input');
  printResult(facts(key), options, () =>
    [`The signing key ${name} is on this machine.`, '', ...table(key)].join('\n'),
  );
}

const LABEL = ' '.repeat('fingerprint  '.length);

function table({ path, publicKey }: StoredKey): string[] {
  return [`fingerprint  ${fingerprint(publicKey)}`, `file         ${path}`, `public half  ${publicKey.line}`];
}

function facts({ name, path, encrypted, tooOpen, publicKey }: StoredKey, project?: Project): object {
  return {
    name,
    fingerprint: fingerprint(publicKey),
    publicKey: publicKey.line,
    path,
    encrypted,
    ...(tooOpen ? { tooOpen } : {}),
    ...(project && trusts(project, publicKey.line) ? { trustedBy: project.config.name } : {}),
  };
}

function notes({ path, encrypted, tooOpen, publicKey }: StoredKey, project: Project | undefined): string[] {
  return [
    ...(project && trusts(project, publicKey.line) ? [`trusted by ${project.config.name}`] : []),
    ...(encrypted ? ['has a passphrase; fw signs through ssh-agent'] : []),
    ...(tooOpen ? [`not used, because others can read it; chmod 600 ${shellWord(path)}`] : []),
  ];
}

function trusts({ config }: Project, line: string): boolean {
  return config.updateKeys.some((one) => sameKey(parsePublicKey(one), parsePublicKey(line)));
}

/** The project in this folder, if there is one. A broken one is worth a note: keys can be looked at without it. */
async function projectHere({ app, json }: KeyOptions): Promise<Project | undefined> {
  try {
    return await loadProject(app ?? '.');
  } catch (error) {
    if (app !== undefined || !(error instanceof FwError)) throw error;
    if (error.code !== 'no-config' && !json) process.stderr.write(`note: ${error.message}\n`);
    return undefined;
  }
}

async function readKeyFile(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (cause) {
    throw new FwError('key-missing', `the key cannot be read: ${(cause as Error).message}`, {
      where: path,
      expected: 'an OpenSSH private key (ssh-ed25519)',
      remedy: 'Correct the path of the file.',
      cause,
    });
  }
}

function othersCanRead(fd: number): boolean {
  const stat = fstatSync(fd);
  return stat.isFile() && (stat.mode & 0o077) !== 0;
}
