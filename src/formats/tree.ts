/**
 * A file tree as values: what the root file system, the initramfs and the boot partitions are made from.
 * Content may be lazy, so that a writer which has a file's compressed blocks in its cache never reads the file.
 */
export interface Content {
  /** Bytes. */
  readonly size: number;
  /** SHA-256 of the bytes, lower-case hex: what caches are keyed on. */
  readonly sha256: string;
  read(): Promise<Uint8Array>;
}

interface Common {
  /** Permission bits only, e.g. 0o755. */
  mode: number;
  uid: number;
  gid: number;
}
export interface FileNode extends Common {
  type: 'file';
  content: Content;
}
export interface DirNode extends Common {
  type: 'dir';
  /** Keys are single path components: not empty, not '.' or '..', without '/' or NUL. */
  entries: Map<string, TreeNode>;
}
export interface SymlinkNode extends Common {
  type: 'symlink';
  target: string;
}
export interface DeviceNode extends Common {
  type: 'char' | 'block';
  major: number;
  minor: number;
}
export type TreeNode = FileNode | DirNode | SymlinkNode | DeviceNode;
