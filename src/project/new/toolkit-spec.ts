import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The folder with this toolkit's package.json: the checkout, or hearthfw under node_modules, where dist/ is between. */
function toolkitFolder(): string {
  const compiled = import.meta.url.endsWith('.js');
  return resolve(fileURLToPath(new URL(compiled ? '../../../..' : '../../..', import.meta.url)));
}

/**
 * What a project's package.json says of hearthfw so that `npm install` brings the toolkit that is running: its exact
 * version, unless it came from a file or is a checkout: then that, because a registry may have no such version, or
 * another one.
 */
export function toolkitSpec(projectDir: string, toolkit: string = toolkitFolder()): string {
  const { version } = readJson<{ version: string }>(join(toolkit, 'package.json'));
  const modules = dirname(toolkit);
  if (basename(modules) !== 'node_modules') return fileSpec(projectDir, toolkit);
  // What npm installed, and from where: `file:` is relative to the folder that holds node_modules.
  const record = join(modules, '.package-lock.json');
  if (!existsSync(record)) return version;
  const { packages } = readJson<{ packages?: Record<string, { resolved?: string }> }>(record);
  const resolved = packages?.[`node_modules/${basename(toolkit)}`]?.resolved;
  if (!resolved?.startsWith('file:')) return version;
  return fileSpec(projectDir, resolve(dirname(modules), resolved.slice('file:'.length)));
}

function fileSpec(projectDir: string, path: string): string {
  return `file:${relative(realPath(projectDir), realPath(path)).replaceAll(sep, '/')}`;
}

/** Without links, as npm will see it from inside; what is not there yet keeps its name. */
function realPath(path: string): string {
  if (existsSync(path) || dirname(path) === path) return realpathSync(path);
  return join(realPath(dirname(path)), basename(path));
}

function readJson<T>(path: string): T {
  return JSON.parse(readFileSync(path, 'utf8')) as T;
}
