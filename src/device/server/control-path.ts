import { join } from 'node:path';
import type { ReleasePaths } from './release.ts';

/** `sun_path` of unix(7) has 108 bytes, the last of which is NUL. Longer paths are cut, by Node too, without a word. */
export const MAX_SOCKET_PATH_BYTES = 107;

/** Where hearthd listens for `remote` and `rpc`. */
export function controlPath(paths: Pick<ReleasePaths, 'var'>, name: string): string {
  return join(paths.var, 'run', `${name}.sock`);
}

/** Why nobody can listen there; undefined when one can. */
export function tooLong(path: string): string | undefined {
  const bytes = Buffer.byteLength(path);
  return bytes <= MAX_SOCKET_PATH_BYTES
    ? undefined
    : `the path ${path} is ${bytes} bytes long, and that of a Unix socket may have ${MAX_SOCKET_PATH_BYTES}: choose a shorter HEARTH_VAR in env.sh`;
}
