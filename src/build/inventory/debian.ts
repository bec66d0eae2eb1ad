import { posix } from 'node:path';
import { FwError } from '../../errors.ts';
import type { DirNode, FileNode, TreeNode } from '../../formats/tree.ts';
import type { Lock, LockedPackage } from '../lock.ts';
import { copyrightLicences } from './copyright.ts';
import type { DebianPackage } from './schema.ts';

/** The release that the locks are made from; `scripts/lock.ts` asks for its suites. */
export const DEBIAN_SUITE = 'trixie';

/** The locked packages, with what their copyright files in the root say. */
export async function debianPackages(lock: Lock, root: DirNode): Promise<DebianPackage[]> {
  const [kernel] = lock.packages;
  const found: DebianPackage[] = [];
  for (const pkg of lock.packages) {
    // The kernel's own name has its version in it, and modules are looked for under one that stays.
    const doc = pkg === kernel ? 'linux' : pkg.name;
    const { path, node } = copyrightOf(root, doc, pkg);
    const text = Buffer.from(await node.content.read()).toString('utf8');
    const licences = copyrightLicences(text);
    found.push({
      name: pkg.name,
      version: pkg.version,
      ...fromPoolPath(pkg.path),
      sha256: pkg.sha256,
      ...(licences ? { licences } : {}),
      licenceFile: `/${path}`,
    });
  }
  return found;
}

/** Debian's pool names them: `pool/main/g/glibc/libc6_2.41-12_amd64.deb`. */
function fromPoolPath(path: string): { architecture: string; source?: string } {
  const [, source] = /\/(?:lib)?[a-z0-9]\/([^/]+)\/[^/]+$/.exec(path) ?? [];
  const [, architecture] = /_([a-z0-9-]+)\.deb$/.exec(path) ?? [];
  if (!architecture) throw new Error(`${path} does not name an architecture`);
  return { architecture, ...(source ? { source } : {}) };
}

/** The file, through the links of packages that share the folder of another. */
function copyrightOf(root: DirNode, doc: string, pkg: LockedPackage): { path: string; node: FileNode } {
  const folder = followed(root, `usr/share/doc/${doc}`);
  const path = `${folder}/copyright`;
  const node = at(root, path);
  if (node?.type === 'file') return { path, node };
  throw new FwError('copyright-missing', `the system has no copyright file of ${pkg.name}`, {
    where: `/usr/share/doc/${doc}/copyright`,
    expected: 'the licence of everything that is handed out',
    remedy: "Correct the target's list: take the package that the folder is a link to, too.",
  });
}

function followed(root: DirNode, path: string): string {
  const node = at(root, path);
  // One step is what Debian's policy (12.5) allows.
  return node?.type === 'symlink' ? posix.join(posix.dirname(path), node.target) : path;
}

function at(root: DirNode, path: string): TreeNode | undefined {
  return path
    .split('/')
    .reduce<TreeNode | undefined>(
      (node, name) => (node?.type === 'dir' ? node.entries.get(name) : undefined),
      root,
    );
}
