import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { fingerprint, isExampleKey, type PublicKey, parsePublicKey, sameKey } from '../../archive/index.ts';
import { FwError } from '../../errors.ts';
import { loadProject, type Project } from '../load.ts';
import { writtenKeys } from './config-keys.ts';

/** As many as a manifest may list. */
const MAX_KEYS = 32;

/**
 * Adds a key to those whose firmware the project's devices accept, behind the others: the first one signs.
 * @returns false when it is there already
 * @throws FwError `keys-not-literal`, `fw-example-key-mixed`, `too-many-update-keys`
 */
export async function trustKey(project: Project, key: PublicKey): Promise<boolean> {
  const keys = project.config.updateKeys.map(parsePublicKey);
  if (keys.some((each) => sameKey(each, key))) return false;
  if ([...keys, key].some(isExampleKey))
    throw new FwError(
      'fw-example-key-mixed',
      'the example key cannot be trusted beside another; everybody has it',
      {
        where: `${project.configFile}: updateKeys`,
        remedy: 'Replace it by a key of your own, by hand. Devices that trust it have to be written anew.',
      },
    );
  if (keys.length >= MAX_KEYS)
    throw new FwError('too-many-update-keys', `the project lists ${keys.length} update keys already`, {
      expected: `at most ${MAX_KEYS}`,
      remedy: 'Drop one that signs no more: fw key rotate --drop KEY.',
    });
  await rewrite(project, (written) => [...written, `'${key.line.replaceAll(/['\\]/g, '')}'`]);
  return true;
}

/**
 * From now on this key signs. It has to be trusted already: by the release before this one, that is.
 * @param check of the project as it would be; where it throws, all stays as it was
 */
export async function signWith(
  project: Project,
  which: string,
  check: (changed: Project, key: PublicKey) => Promise<void>,
): Promise<PublicKey> {
  const at = find(project, which);
  const key = parsePublicKey(project.config.updateKeys[at] ?? '');
  const first = (written: readonly string[]): string[] => [
    ...written.slice(at, at + 1),
    ...written.toSpliced(at, 1),
  ];
  await rewrite(project, first, (changed) => check(changed, key));
  return key;
}

/** @throws FwError `last-update-key`, `key-still-signs` */
export async function dropKey(project: Project, which: string): Promise<PublicKey> {
  const at = find(project, which);
  const key = parsePublicKey(project.config.updateKeys[at] ?? '');
  const where = `${project.configFile}: updateKeys`;
  if (project.config.updateKeys.length === 1)
    throw new FwError('last-update-key', 'without this key the devices would accept no firmware at all', {
      where,
      expected: 'another key',
      remedy: 'Make the new one first: fw key rotate.',
    });
  if (at === 0)
    throw new FwError('key-still-signs', `the project is signed with this key: ${fingerprint(key)}`, {
      where,
      expected: 'a release that another key has signed, on all devices',
      remedy:
        'Have the new key sign first: fw key rotate --to KEY. Then release, and drop this one afterwards.',
    });
  await rewrite(project, (written) => written.toSpliced(at, 1));
  return key;
}

/** By fingerprint, or by the comment, which is the key's name where fw made it. */
function find({ config: { updateKeys }, configFile }: Project, which: string): number {
  const keys = updateKeys.map(parsePublicKey);
  const found = keys.flatMap((key, at) =>
    fingerprint(key) === which || commentOf(key) === which ? [at] : [],
  );
  const [at, another] = found;
  if (at !== undefined && another === undefined) return at;
  throw new FwError(
    'no-such-update-key',
    `${at === undefined ? 'none' : 'more than one'} of the project's update keys is called ${which}`,
    {
      where: `${configFile}: updateKeys`,
      expected: keys.map((key) => `${commentOf(key)} ${fingerprint(key)}`.trim()).join(', '),
      remedy: 'Name it by its comment or fingerprint. A key has to be trusted for a release before it signs.',
    },
  );
}

export function commentOf({ line }: PublicKey): string {
  return line.split(' ').slice(2).join(' ');
}

/** Changes the file, looks whether it says what was meant, and puts it back if not. */
async function rewrite(
  { dir, configFile, config }: Project,
  change: (written: readonly string[]) => string[],
  check: (changed: Project) => Promise<void> = async () => {},
): Promise<void> {
  const before = readFileSync(configFile, 'utf8');
  const written = writtenKeys(before, configFile);
  // Order and number are all that we know of both: they must be the same list.
  if (written.elements.length !== config.updateKeys.length) throw misread(configFile);
  const numbers = change(written.elements.map((_, at) => String(at)));
  const meant = numbers.map((each) =>
    /^\d+$/.test(each) ? config.updateKeys[Number(each)] : each.slice(1, -1),
  );
  replace(configFile, written.replaced(change(written.elements)));
  try {
    const after = await loadProject(dir);
    if (after.config.updateKeys.join('\n') !== meant.join('\n')) throw misread(configFile);
    await check(after);
  } catch (error) {
    replace(configFile, before);
    throw error;
  }
}

function misread(configFile: string): FwError {
  return new FwError('keys-not-literal', 'updateKeys is not the list that stands in fw.config.ts', {
    where: configFile,
    expected: "updateKeys: ['ssh-ed25519 …', …], in the object that is exported",
    remedy: 'Change it by hand, as docs/updates.md describes: the first key is the one that signs.',
  });
}

function replace(path: string, text: string): void {
  const part = `${path}.part-${process.pid}`;
  try {
    writeFileSync(part, text, { flush: true });
    renameSync(part, path);
  } catch (cause) {
    rmSync(part, { force: true });
    throw new FwError('config-not-writable', `fw.config.ts cannot be changed: ${(cause as Error).message}`, {
      where: path,
      remedy: 'Make it writable for you.',
      cause,
    });
  }
}
