import { posix } from 'node:path';
import { FwError } from '../../errors.ts';
import { type Elf, isElf, readElf } from '../../formats/elf.ts';
import type { DirNode, TreeNode } from '../../formats/tree.ts';
import type { Arch } from '../target.ts';
import { walk } from '../tree.ts';

const ELF_MAGIC_BYTES = 4;

/**
 * Every ELF file in a root: for the target's machine, its dynamic loader there, and every library that it needs
 * there too. A program that cannot be loaded is found at build time, by name, and not in the field.
 */
export async function checkElfFiles(root: DirNode, arch: Arch): Promise<void> {
  const files = new Map([...walk(root)]);
  const libraries = new Set(
    [...files.keys()]
      .filter((path) => /^usr\/lib(64)?\//.test(path) && leadsToFile(path, files))
      .map((path) => posix.basename(path)),
  );
  for (const [path, node] of files) {
    if (node.type !== 'file' || node.content.size < ELF_MAGIC_BYTES) continue;
    const bytes = await node.content.read();
    if (isElf(bytes)) checkOne(path, readElf(bytes), arch, libraries, files);
  }
}

function checkOne(
  path: string,
  elf: Elf,
  arch: Arch,
  libraries: Set<string>,
  files: Map<string, TreeNode>,
): void {
  if (elf.machine !== arch) {
    throw new FwError('elf-wrong-arch', `${path} is for ${elf.machine}, not for ${arch}`, {
      where: path,
      expected: `an ELF file for ${arch}`,
      remedy: 'Use the package or addon that is built for the target.',
    });
  }
  if (elf.interpreter && !leadsToFile(elf.interpreter, files)) {
    throw new FwError('library-missing', `${path} needs the dynamic loader ${elf.interpreter}`, {
      where: path,
      expected: elf.interpreter,
      remedy: 'Use a program that is built for glibc (Debian’s), not for musl or another system.',
    });
  }
  const missing = elf.needed.find((name) => !libraries.has(name));
  if (missing) {
    throw new FwError('library-missing', `${path} needs ${missing}, which the firmware does not have`, {
      where: path,
      expected: `${missing} among the libraries of the system`,
      remedy:
        'Use a build of it that links the library statically, or take the library into the target’s list of packages.',
    });
  }
}

/** The kernel's own limit of links on the way to a file. */
const MAX_LINKS = 40;

/** Whether a path is a file, or a link that ends at one: a link whose library stayed in its package helps nobody. */
function leadsToFile(path: string, files: Map<string, TreeNode>): boolean {
  let at = merged(path);
  for (let links = 0; links <= MAX_LINKS; links++) {
    const node = files.get(at);
    if (node?.type !== 'symlink') return node?.type === 'file';
    at = merged(posix.resolve('/', posix.dirname(at), node.target));
  }
  return false;
}

/** A path without its leading slash; /lib, /lib64, /bin and /sbin are links into /usr. */
function merged(path: string): string {
  return path.replace(/^\//, '').replace(/^(lib64|lib|bin|sbin)\//, 'usr/$1/');
}
