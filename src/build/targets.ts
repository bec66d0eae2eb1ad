import { existsSync, readdirSync } from 'node:fs';
import { FwError } from '../errors.ts';
import { nearest } from '../project/nearest.ts';
import { type Lock, readLock } from './lock.ts';
import type { Target } from './target.ts';

/** The folder of all targets, beside src/ in a checkout and beside the compiled code in the npm package. */
const FOLDER = [new URL('../../targets/', import.meta.url), new URL('../targets/', import.meta.url)].find(
  (url) => existsSync(url),
);

export interface LoadedTarget {
  target: Target;
  lock: Lock;
  lockUrl: URL;
}

export function targetNames(): string[] {
  if (!FOLDER) return [];
  return readdirSync(FOLDER, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map((entry) => entry.name)
    .sort();
}

export async function loadTarget(name: string): Promise<LoadedTarget>;
export async function loadTarget(
  name: string,
  options: { lockMayBeMissing: true },
): Promise<Omit<LoadedTarget, 'lock'> & { lock?: Lock }>;
export async function loadTarget(
  name: string,
  options: { lockMayBeMissing?: boolean } = {},
): Promise<Omit<LoadedTarget, 'lock'> & { lock?: Lock }> {
  const names = targetNames();
  if (!FOLDER || !names.includes(name)) {
    const guess = nearest(name, names);
    throw new FwError('unknown-target', `there is no target '${name}'`, {
      where: 'target',
      expected: `one of ${names.join(', ')}`,
      remedy: guess ? `Did you mean '${guess}'?` : `Choose one of: ${names.join(', ')}.`,
    });
  }
  const file = ['target.ts', 'target.js']
    .map((base) => new URL(`${name}/${base}`, FOLDER))
    .find((url) => existsSync(url));
  if (!file) throw new Error(`target ${name} has no target.ts`);
  const { default: target } = (await import(file.href)) as { default: Target };
  const lockUrl = new URL(`${name}/lock.json`, FOLDER);
  if (options.lockMayBeMissing && !existsSync(lockUrl)) return { target, lockUrl };
  return { target, lockUrl, lock: readLock(lockUrl) };
}
