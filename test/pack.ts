import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

const REPOSITORY = join(import.meta.dirname, '..');
const LOCK = join(REPOSITORY, 'node_modules', '.hearth-pack.lock');

/** Packs hearthfw as for the registry. One at a time: npm pack makes dist/ anew. Returns the path of the tarball. */
export async function packHearthfw(folder: string): Promise<string> {
  const pack = ['npm', 'pack', '--json', '--pack-destination', folder];
  const { stdout } = await promisify(execFile)('flock', [LOCK, ...pack], { cwd: REPOSITORY });
  const [{ filename }] = JSON.parse(stdout.slice(stdout.indexOf('['))) as [{ filename: string }];
  return join(folder, filename);
}
