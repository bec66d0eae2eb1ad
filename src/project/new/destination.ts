import { readdirSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import { FwError } from '../../errors.ts';
import { configSchema } from '../schema.ts';

/** What may be there already: a repository that was made, or cloned, for the project. */
const WELCOME = new Set(['.git']);

/**
 * Whether the folder is there, empty but for a repository.
 * @throws FwError `folder-not-empty`, `not-a-folder`: what is there is never written over
 */
export function checkDestination(dir: string): 'missing' | 'empty' {
  const there = statSync(dir, { throwIfNoEntry: false });
  if (!there) return 'missing';
  if (!there.isDirectory()) {
    throw new FwError('not-a-folder', `${dir} is there already, and no folder`, {
      where: dir,
      expected: 'a name that is free, or an empty folder',
      remedy: 'Choose another name.',
    });
  }
  const names = readdirSync(dir).filter((name) => !WELCOME.has(name));
  if (names.length === 0) return 'empty';
  const [some, more] = [names.slice(0, 5), names.length - 5];
  throw new FwError(
    'folder-not-empty',
    `${dir} is not empty: ${some.join(', ')}${more > 0 ? `, and ${more} more` : ''}`,
    {
      where: dir,
      expected: 'a name that is free, or an empty folder',
      remedy: 'Choose another name: nothing that is there is ever written over.',
    },
  );
}

/** npm takes no package that depends on one of its own name. */
const TAKEN = new Set(['hearthfw', 'tsx', 'typescript']);

/**
 * The project's name: the one that was asked for, else that of its folder.
 * @throws FwError `bad-project-name`, with a name that would do
 */
export function projectName(dir: string, asked?: string): string {
  const name = asked ?? basename(dir);
  const checked = configSchema.shape.name.safeParse(name);
  if (checked.success && !TAKEN.has(name)) return name;
  const why = checked.success
    ? 'is the name of a package that it depends on'
    : (checked.error.issues[0]?.message ?? '');
  const better = similarName(name);
  throw new FwError('bad-project-name', `'${name}' cannot be the name of a project: it ${why}`, {
    where: asked === undefined ? dir : '--name',
    expected: '1 to 31 lower-case letters, digits and dashes, starting with a letter',
    remedy: better ? `Add \`--name ${better}\`, or whatever you like better.` : 'Name it with --name NAME.',
  });
}

/** A name that is allowed, and as like the given one as can be. */
export function similarName(name: string): string | undefined {
  const better = name
    .normalize('NFKD')
    .replace(/\p{M}+/gu, '')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^[^a-z]+/, '')
    .slice(0, 31)
    .replace(/-+$/, '');
  if (TAKEN.has(better)) return `${better}-app`;
  return better === '' ? undefined : better;
}
