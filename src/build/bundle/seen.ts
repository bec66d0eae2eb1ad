import { existsSync, realpathSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { Plugin } from 'esbuild';

/** What a bundling has seen of the project, also one that failed; by path, when it had been changed last by then. */
export interface Seen {
  /** What it has read. The code need not have anything of it: constants are inlined, and a file may be empty. */
  files: Map<string, number>;
  /** Where it has looked for a file: there one may turn up that mends it. */
  folders: Map<string, number>;
}

export function nothingSeen(): Seen {
  return { files: new Map(), folders: new Map() };
}

/** Notes what is about to be looked for and read. Comes before the plugins that do so. */
export function noteSeen({ files, folders }: Seen, projectDir: string): Plugin {
  const look = (path: string): void => {
    const folder = folderOf(path);
    if (!folders.has(folder)) folders.set(folder, lastChange(folder));
  };
  return {
    name: 'seen',
    setup(context) {
      context.onResolve({ filter: /.*/ }, ({ path, resolveDir, kind, namespace }) => {
        if (namespace !== 'file' && kind !== 'entry-point') return undefined;
        look(
          /^(\.\.?)?(\/|$)/.test(path) ? resolve(resolveDir, path) : join(projectDir, 'node_modules', path),
        );
        return undefined;
      });
      context.onLoad({ filter: /.*/, namespace: 'file' }, ({ path }) => {
        files.set(existsSync(path) ? realpathSync(path) : path, lastChange(path));
        look(path);
        return undefined;
      });
    },
  };
}

/** Milliseconds since 1970; 0 for what is not there. */
export function lastChange(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

/** The folder that this path is, or else the nearest above it that there is. */
export function folderOf(path: string): string {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ? path : folderOf(dirname(path));
}
