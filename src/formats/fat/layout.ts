import { FormatError } from '../../errors.ts';
import { DIR_ENTRY, type Geometry, MAX_DIR_BYTES, ROOT_ENTRIES } from './geometry.ts';
import { foldName, longEntryCount, nameProblem, type ShortName, shortNames } from './names.ts';

/** A file to write. */
export interface FatFile {
  /** Path with '/' between components, e.g. EFI/BOOT/BOOTX64.EFI. Folders are made as needed. */
  path: string;
  content: Uint8Array;
  /**
   * Bytes: the file gets exactly this size, filled up with zeros, so that larger content can be written into the
   * same extent later.
   */
  reserve?: number;
}

/** A file or directory with its place. Clusters count from 2; first cluster 0 is an empty file, or FAT16's root. */
export interface PlacedFile {
  kind: 'file';
  path: string;
  content: Uint8Array;
  /** Bytes, the reserve included. */
  size: number;
  firstCluster: number;
  clusters: number;
}
export interface PlacedDir {
  kind: 'dir';
  path: string;
  /** In the order of the directory's entries. */
  children: { name: string; short: ShortName; node: PlacedFile | PlacedDir }[];
  parent: PlacedDir | undefined;
  /** Directory entries, long names, label, '.' and '..' included. */
  entries: number;
  firstCluster: number;
  clusters: number;
}

interface Draft {
  dirs: Map<string, Draft>;
  files: Map<string, FatFile>;
  /** Folded name -> name as given: FAT cannot hold two names that differ in case only. */
  folded: Map<string, string>;
}
const newDraft = (): Draft => ({ dirs: new Map(), files: new Map(), folded: new Map() });

function refuse(path: string, message: string, remedy?: string): never {
  throw new FormatError('fat', message, { where: path, ...(remedy ? { remedy } : {}) });
}

function claimName(draft: Draft, name: string, path: string): void {
  const problem = nameProblem(name);
  if (problem) refuse(path, `'${name}' ${problem}`, 'rename it');
  const other = draft.folded.get(foldName(name));
  if (other !== undefined && other !== name) {
    refuse(path, `'${name}' and '${other}' are the same name to FAT`, 'rename one of them');
  }
  draft.folded.set(foldName(name), name);
}

function draftOf(files: readonly FatFile[]): Draft {
  const root = newDraft();
  for (const file of files) {
    const names = file.path.split('/');
    const last = names.pop() ?? '';
    let draft = root;
    for (const name of names) {
      claimName(draft, name, file.path);
      if (draft.files.has(name)) refuse(file.path, `'${name}' is both a file and a folder`);
      const next = draft.dirs.get(name) ?? newDraft();
      draft.dirs.set(name, next);
      draft = next;
    }
    claimName(draft, last, file.path);
    if (draft.files.has(last)) refuse(file.path, 'the file is given twice');
    if (draft.dirs.has(last)) refuse(file.path, `'${last}' is both a file and a folder`);
    const size = file.reserve ?? file.content.length;
    if (!Number.isInteger(size) || size < 0 || size > 0xffff_ffff) {
      refuse(file.path, `${size} bytes cannot be a file's size: FAT holds whole numbers up to 4,294,967,295`);
    }
    if (file.content.length > size) {
      const excess = file.content.length - size;
      refuse(file.path, `the content is ${excess} bytes larger than the ${size} bytes reserved for it`);
    }
    draft.files.set(last, file);
  }
  return root;
}

function dirOf(draft: Draft, path: string, parent: PlacedDir | undefined): PlacedDir {
  const dir: PlacedDir = {
    kind: 'dir',
    path,
    children: [],
    parent,
    entries: 0,
    firstCluster: 0,
    clusters: 0,
  };
  const names = [...draft.dirs.keys(), ...draft.files.keys()].sort();
  const shorts = shortNames(names);
  // The root begins with the label, every other directory with '.' and '..'.
  dir.entries = parent ? 2 : 1;
  for (const name of names) {
    const short = shorts.get(name) ?? { raw: '', needsLong: true };
    const childPath = path === '' ? name : `${path}/${name}`;
    dir.entries += 1 + (short.needsLong ? longEntryCount(name) : 0);
    const sub = draft.dirs.get(name);
    const file = draft.files.get(name);
    if (sub) dir.children.push({ name, short, node: dirOf(sub, childPath, dir) });
    else if (file) {
      const { content } = file;
      const size = file.reserve ?? content.length;
      dir.children.push({
        ...{ name, short },
        node: { kind: 'file', path: childPath, content, size, firstCluster: 0, clusters: 0 },
      });
    }
  }
  return dir;
}

/** All directories, parents first. */
export function directoriesOf(root: PlacedDir): PlacedDir[] {
  return [root, ...root.children.flatMap(({ node }) => (node.kind === 'dir' ? directoriesOf(node) : []))];
}

/** All files, in the order in which they lie on disk. */
export function filesOf(root: PlacedDir): PlacedFile[] {
  return root.children.flatMap(({ node }) => (node.kind === 'file' ? [node] : filesOf(node)));
}

/**
 * Gives every directory and file its clusters: first the directories, then the files, each in one run, in the
 * order of their names. Which order the files were given in makes no difference.
 * @throws FormatError that names the file that cannot be written or does not fit, and by how much
 */
export function placeFiles(
  files: readonly FatFile[],
  geometry: Geometry,
): { root: PlacedDir; usedClusters: number } {
  const root = dirOf(draftOf(files), '', undefined);
  const fixedRoot = geometry.type === 16;
  const { clusterBytes, clusterCount } = geometry;
  let next = 2;
  const place = (node: PlacedDir | PlacedFile, bytes: number): void => {
    node.clusters = Math.ceil(bytes / clusterBytes);
    node.firstCluster = node.clusters === 0 ? 0 : next;
    next += node.clusters;
    const excess = next - 2 - clusterCount;
    if (excess > 0) {
      refuse(
        node.path || '/',
        `does not fit: ${excess * clusterBytes} bytes more than the file system's ${clusterCount * clusterBytes}`,
        'make the file system larger or the files smaller',
      );
    }
  };
  for (const dir of directoriesOf(root)) {
    const bytes = dir.entries * DIR_ENTRY;
    const limit = dir === root && fixedRoot ? ROOT_ENTRIES * DIR_ENTRY : MAX_DIR_BYTES;
    if (bytes > limit) {
      const excess = (bytes - limit) / DIR_ENTRY;
      refuse(
        dir.path || '/',
        `the folder needs ${excess} directory entries more than the ${limit / DIR_ENTRY} it may have`,
        'use sub-folders or shorter names',
      );
    }
    if (dir === root && fixedRoot) continue;
    // A directory is never without a cluster.
    place(dir, Math.max(bytes, 1));
  }
  for (const file of filesOf(root)) place(file, file.size);
  return { root, usedClusters: next - 2 };
}
