import { readFile } from 'node:fs/promises';
import { fingerprint, type PublicKey, parsePublicKey } from '../archive/index.ts';
import { findSigner } from '../build/signing.ts';
import { FwError } from '../errors.ts';
import { isKeyName, keyFolder, readKeyFolder, storedKey } from '../project/keys/folder.ts';
import { commentOf, dropKey, signWith, trustKey } from '../project/keys/rotation.ts';
import { createKey, discardKey } from '../project/keys/store.ts';
import { loadProject, type Project } from '../project/load.ts';
import { shellWord } from '../shell-words.ts';
import type { RotationOptions } from './key.ts';
import { UsageError } from './usage.ts';
import { printResult } from './verb.ts';

export async function trust(which: string, options: RotationOptions): Promise<void> {
  const project = await loadProject(options.app);
  const key = await publicKeyOf(which);
  const added = await trustKey(project, key);
  await report({ added }, key, options, () =>
    added
      ? [
          `${project.config.name} trusts ${nameOf(key)} from its next release on.`,
          '',
          'A device takes firmware of that key once it runs that release.',
        ]
      : [`${project.config.name} trusts ${nameOf(key)} already.`],
  );
}

/** One step of three; which of them has reached all devices only the developer knows. */
export async function rotate(options: RotationOptions): Promise<void> {
  const { to, drop } = options;
  if (to !== undefined && drop !== undefined)
    throw new UsageError(
      '--to and --drop are steps of different releases',
      'Do one, release, then the other.',
    );
  const project = await loadProject(options.app);
  if (to !== undefined) await change(project, to, options);
  else if (drop !== undefined) await end(project, drop, options);
  else await begin(project, options);
}

async function begin(project: Project, options: RotationOptions): Promise<void> {
  // Without the old key no release could ever tell the devices of the new one.
  const signer = parsePublicKey((await findSigner(project)).publicKey);
  const folder = keyFolder();
  const key = createKey(freeName(commentOf(signer), project.config.name, folder), folder);
  try {
    await trustKey(project, key.publicKey);
  } catch (error) {
    discardKey(key);
    throw error;
  }
  const [name, old] = [key.name, handleOf(signer)];
  await report({ step: 1 }, key.publicKey, options, () => [
    `Made the key ${name}, and ${project.config.name} trusts it. It is signed by ${old} still.`,
    '',
    `Back it up now, off this machine: fw key export ${name} > ${name}.key`,
    '',
    'Release 1: raise version, build, and bring it to every device. Then:',
    `Release 2: fw key rotate --to ${name}`,
    `Release 3: fw key rotate --drop ${shellWord(old)}`,
    '',
    'A device that misses release 1 cannot take release 2.',
  ]);
}

async function change(project: Project, which: string, options: RotationOptions): Promise<void> {
  const before = parsePublicKey((await findSigner(project)).publicKey);
  // What cannot be signed is no release.
  const key = await signWith(project, which, async (changed, key) => {
    const { publicKey, source } = await findSigner(changed);
    if (fingerprint(parsePublicKey(publicKey)) !== fingerprint(key)) throw notHere(key, source);
  });
  await report({ step: 2 }, key, options, () => [
    `${project.config.name} is signed by ${nameOf(key)} from now on.`,
    '',
    'Release 2: raise version, build, and bring it to every device. Those that have not got',
    'release 1 refuse it (fw-key-not-trusted): give them that one first. Then:',
    `Release 3: fw key rotate --drop ${shellWord(handleOf(before))}`,
  ]);
}

async function end(project: Project, which: string, options: RotationOptions): Promise<void> {
  const key = await dropKey(project, which);
  await report({ step: 3 }, key, options, () => [
    `${project.config.name} trusts ${nameOf(key)} no more.`,
    '',
    'Release 3: raise version, build, and bring it to every device. Until a device runs it, it',
    'still takes firmware of that key. versionFloor, set to this version, keeps older releases away.',
  ]);
}

async function report(
  facts: object,
  key: PublicKey,
  options: RotationOptions,
  lines: () => string[],
): Promise<void> {
  const { config, configFile } = await loadProject(options.app);
  const about = { key: key.line, fingerprint: fingerprint(key), configFile, updateKeys: config.updateKeys };
  printResult({ ...facts, ...about }, options, () => lines().join('\n'));
}

/** A file, or a key of this machine's folder. */
async function publicKeyOf(which: string): Promise<PublicKey> {
  const stored = isKeyName(which) && readKeyFolder(keyFolder()).keys.some(({ name }) => name === which);
  if (stored) return storedKey(which, keyFolder()).publicKey;
  try {
    return parsePublicKey(await readFile(which, 'utf8'));
  } catch (cause) {
    if (cause instanceof FwError) throw cause;
    throw new FwError('key-missing', `there is no public key to be read: ${(cause as Error).message}`, {
      where: which,
      expected: 'a .pub file (ssh-ed25519), or the name of a key of this machine',
      remedy: 'See which there are: fw key list.',
      cause,
    });
  }
}

/** sensor, sensor-2, sensor-3 … */
function freeName(comment: string, product: string, folder: string): string {
  const base = (isKeyName(comment) ? comment : product).replace(/-\d+$/, '');
  const { keys, unusable } = readKeyFolder(folder);
  const taken = new Set([...keys, ...unusable].map(({ name }) => name));
  for (let n = 2; ; n++) if (!taken.has(`${base}-${n}`)) return `${base}-${n}`;
}

function notHere(key: PublicKey, source: string): FwError {
  return new FwError('signing-key-elsewhere', `this machine does not sign with ${nameOf(key)}`, {
    where: `it signs with ${source}`,
    expected: 'the private half of that key in the key folder or ssh-agent, and no other key named',
    remedy:
      'Take it over with `fw key import`; where HEARTH_SIGNING_KEY or signingKey names the old key, name the new one.',
  });
}

function handleOf(key: PublicKey): string {
  return commentOf(key) || fingerprint(key);
}
function nameOf(key: PublicKey): string {
  return `${commentOf(key)} ${fingerprint(key)}`.trim();
}
