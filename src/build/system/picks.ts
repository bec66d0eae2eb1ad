import { FwError } from '../../errors.ts';
import { type Deb, type DebMember, readDeb } from '../../formats/deb.ts';
import type { DirNode } from '../../formats/tree.ts';
import type { LockedPackage } from '../lock.ts';
import type { PackagePick } from '../target.ts';
import { file, insert, symlink } from '../tree.ts';

/** A file or link as a system takes it. It belongs to root, nothing is setuid, and hard links are files of their own. */
export type PickedFile = { path: string } & (
  | { type: 'file'; mode: number; bytes: Uint8Array }
  | { type: 'symlink'; target: string }
);

/** The bytes of a package, which have the locked hash. */
export type FetchPackage = (pkg: LockedPackage) => Promise<Uint8Array>;

/** Fetches a locked package and unpacks what is wanted of it; a package that is not what the lock says is refused. */
export async function openPackage(
  pkg: LockedPackage,
  fetch: FetchPackage,
  want: (path: string) => boolean,
): Promise<Deb> {
  const deb = await readDeb(await fetch(pkg), { want });
  if (deb.package === pkg.name && deb.version === pkg.version) return deb;
  throw new FwError('package-mixed-up', `${pkg.path} holds ${deb.package} ${deb.version}`, {
    where: pkg.path,
    expected: `${pkg.name} ${pkg.version}`,
    remedy: 'The lock is damaged: install hearthfw again, or run `npm run lock` in a checkout.',
  });
}

/** The picked files of one package, with its licence. */
export async function pickFiles(
  pick: PackagePick,
  pkg: LockedPackage,
  fetch: FetchPackage,
): Promise<PickedFile[]> {
  const patterns = pick.files.map((pattern) => ({ pattern, matches: matcher(pattern), used: false }));
  // A package that shares its licence with another has a link to that one's folder instead.
  const folder = `usr/share/doc/${pkg.name}`;
  const licence = [folder, `${folder}/copyright`];
  const want = (path: string): boolean => {
    const hits = patterns.filter(({ matches }) => matches(path));
    for (const hit of hits) hit.used = true;
    return hits.length > 0 || licence.includes(path);
  };
  const deb = await openPackage(pkg, fetch, want);
  const unused = patterns.find(({ used }) => !used);
  if (unused) {
    throw new FwError('file-not-in-package', `${pkg.name} ${pkg.version} has no ${unused.pattern}`, {
      where: pkg.path,
      expected: `${unused.pattern}, which the target takes from this package`,
      remedy: "Correct the target's list of files: a newer version of the package may have moved it.",
    });
  }
  return deb.members.flatMap((member) => picked(member, deb));
}

function picked(member: DebMember, deb: Deb): PickedFile[] {
  const { path, mode } = member;
  if (member.type === 'dir') return [];
  if (member.type === 'symlink') return [{ path, type: 'symlink', target: member.target }];
  if (member.type === 'file') return [{ path, type: 'file', mode: mode & 0o777, bytes: member.bytes }];
  const original = deb.members.find((other) => other.type === 'file' && other.path === member.target);
  if (original?.type === 'file') return [{ path, type: 'file', mode: mode & 0o777, bytes: original.bytes }];
  throw new FwError('hard-link-unpicked', `${deb.package}: ${path} is a hard link to ${member.target}`, {
    where: path,
    expected: 'both names among the files that the target takes',
    remedy: `Add ${member.target} to the target's list.`,
  });
}

/** Puts picked files at their places in the root. */
export function place(root: DirNode, files: readonly PickedFile[]): void {
  for (const picked of files) {
    const node = picked.type === 'file' ? file(picked.bytes, picked.mode) : symlink(picked.target);
    insert(root, picked.path, node);
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
