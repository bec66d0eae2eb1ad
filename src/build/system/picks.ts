import { FwError } from '../../errors.ts';
import { type Deb, type DebMember, readDeb } from '../../formats/deb.ts';
import type { DirNode } from '../../formats/tree.ts';
import type { Cache } from '../cache.ts';
import type { LockedPackage } from '../lock.ts';
import { fetchPackage, type Progress } from '../sources/fetch.ts';
import type { PackagePick } from '../target.ts';
import { file, insert, symlink } from '../tree.ts';

/** Fetches a locked package and unpacks what is wanted of it; a package that is not what the lock says is refused. */
export async function openPackage(
  pkg: LockedPackage,
  cache: Cache,
  progress: Progress,
  want: (path: string) => boolean,
): Promise<Deb> {
  const deb = await readDeb(await fetchPackage(pkg, cache, progress), { want });
  if (deb.package === pkg.name && deb.version === pkg.version) return deb;
  throw new FwError('package-mixed-up', `${pkg.path} holds ${deb.package} ${deb.version}`, {
    where: pkg.path,
    expected: `${pkg.name} ${pkg.version}`,
    remedy: 'The lock is damaged: install hearthfw again, or run `npm run lock` in a checkout.',
  });
}

/** The picked files of one package, put at their places in the root, with its licence. */
export async function pickFiles(
  pick: PackagePick,
  pkg: LockedPackage,
  cache: Cache,
  progress: Progress,
  root: DirNode,
): Promise<void> {
  const patterns = pick.files.map((pattern) => ({ pattern, matches: matcher(pattern), used: false }));
  // A package that shares its licence with another has a link to that one's folder instead.
  const folder = `usr/share/doc/${pkg.name}`;
  const licence = [folder, `${folder}/copyright`];
  const want = (path: string): boolean => {
    const hits = patterns.filter(({ matches }) => matches(path));
    for (const hit of hits) hit.used = true;
    return hits.length > 0 || licence.includes(path);
  };
  const deb = await openPackage(pkg, cache, progress, want);
  const unused = patterns.find(({ used }) => !used);
  if (unused) {
    throw new FwError('file-not-in-package', `${pkg.name} ${pkg.version} has no ${unused.pattern}`, {
      where: pkg.path,
      expected: `${unused.pattern}, which the target takes from this package`,
      remedy: "Correct the target's list of files: a newer version of the package may have moved it.",
    });
  }
  for (const member of deb.members) place(root, member, deb);
}

function place(root: DirNode, member: DebMember, deb: Deb): void {
  if (member.type === 'dir') return;
  if (member.type === 'symlink') insert(root, member.path, symlink(member.target));
  else if (member.type === 'file') insert(root, member.path, file(member.bytes, member.mode & 0o777));
  else {
    const original = deb.members.find(({ path, type }) => type === 'file' && path === member.target);
    if (original?.type !== 'file') {
      throw new FwError(
        'hard-link-unpicked',
        `${deb.package}: ${member.path} is a hard link to ${member.target}`,
        {
          where: member.path,
          expected: 'both names among the files that the target takes',
          remedy: `Add ${member.target} to the target's list.`,
        },
      );
    }
    insert(root, member.path, file(original.bytes, member.mode & 0o777));
  }
}

/** 'a/b' is one path, 'a/b/' all below it, and '*' stands for any text within one component. */
export function matcher(pattern: string): (path: string) => boolean {
  if (pattern.endsWith('/')) return (path) => path.startsWith(pattern);
  if (!pattern.includes('*')) return (path) => path === pattern;
  const escaped = pattern.split('*').map((part) => part.replace(/[.+?^${}()|[\]\\]/g, '\\$&'));
  const regexp = new RegExp(`^${escaped.join('[^/]*')}$`);
  return (path) => regexp.test(path);
}
