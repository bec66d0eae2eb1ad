import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { basename, dirname, join, relative, sep } from 'node:path';
import { compareBytes } from '../../formats/bytes.ts';
import type { NpmPackage } from './schema.ts';

/** A package of which something is in a bundle. */
export interface FoundPackage {
  /** Where it lies on this machine. */
  folder: string;
  name: string;
  version?: string;
  /** As its package.json has it. */
  licence?: string;
  integrity?: string;
  /** Its licence's own words, by file name. */
  texts: Map<string, Uint8Array>;
  usedBy: Set<Bundler>;
}

const MODULES = `${sep}node_modules${sep}`;
/** What npm publishes. Both become part of a path of the root: a stranger's '../..' must not. */
const NAME = /^(@[\w~-][\w.~-]*\/)?[\w~-][\w.~-]*$/;
const VERSION = /^\d[\w.+-]*$/;
const LICENCE_FILE = /^(licen[cs]e|copying|notice)([.-].*)?$/i;

/** Files of a bundle, and the folder of the project whose bundle it is; absolute, no links. */
export interface BundledFiles {
  by: Bundler;
  files: readonly string[];
  project: string;
}

type Bundler = NpmPackage['usedBy'][number];

/** Every package that bundles have something of, by name and version; two copies of one are one. */
export async function bundledPackages(bundles: readonly BundledFiles[]): Promise<FoundPackage[]> {
  const users = new Map<string, Set<Bundler>>();
  for (const { by, files, project } of bundles) {
    for (const file of files) {
      const folder = packageFolder(file, project);
      if (folder) users.set(folder, (users.get(folder) ?? new Set<Bundler>()).add(by));
    }
  }
  const found = new Map<string, FoundPackage>();
  for (const [folder, by] of users) {
    const each = await describePackage(folder);
    const same = found.get(packageId(each));
    for (const one of by) (same ?? each).usedBy.add(one);
    if (!same) found.set(packageId(each), each);
  }
  return [...found.values()].sort((a, b) => compareBytes(packageId(a), packageId(b)));
}

export function packageId({ name, version }: { name: string; version?: string | undefined }): string {
  return version ? `${name}@${version}` : name;
}

/** The folder of the package that a file belongs to, or undefined when that is the project itself. */
export function packageFolder(file: string, project: string): string | undefined {
  const own = `${project}${sep}`;
  if (file.startsWith(own) && !file.slice(project.length).includes(MODULES)) return undefined;
  const at = file.lastIndexOf(MODULES);
  if (at >= 0) {
    const [scope = '', name = ''] = file.slice(at + MODULES.length).split(sep);
    return join(file.slice(0, at + MODULES.length), scope, scope.startsWith('@') ? name : '.');
  }
  // A package of the same repository, to which npm has made a link. What lies above the project is still its own.
  for (let folder = dirname(file); !own.startsWith(`${folder}${sep}`); folder = dirname(folder)) {
    if (folder === dirname(folder)) return undefined;
    if (existsSync(join(folder, 'package.json'))) return folder;
  }
  return undefined;
}

async function describePackage(folder: string): Promise<FoundPackage> {
  const { name, version, license, licenses } = await json(join(folder, 'package.json'));
  const licence = licenceText(license) ?? licenceText(licenses);
  const known = typeof version === 'string' && VERSION.test(version) ? version : undefined;
  const integrity = known && (await lockedIntegrity(folder, known));
  return {
    folder,
    name: typeof name === 'string' && NAME.test(name) ? name : basename(folder),
    ...(known ? { version: known } : {}),
    ...(licence ? { licence } : {}),
    ...(integrity ? { integrity } : {}),
    texts: await licenceTexts(folder),
    usedBy: new Set(),
  };
}

/** A text; or, as packages of long ago have it, `{type}` or a list of these. */
function licenceText(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  if (Array.isArray(value)) {
    const parts = value.map(licenceText).filter((part) => part !== undefined);
    return parts.length > 1 ? `(${parts.join(' OR ')})` : parts[0];
  }
  return typeof value === 'object' && value !== null && 'type' in value ? licenceText(value.type) : undefined;
}

async function licenceTexts(folder: string): Promise<Map<string, Uint8Array>> {
  const entries = await readdir(folder, { withFileTypes: true });
  const names = entries.filter((entry) => entry.isFile() && LICENCE_FILE.test(entry.name));
  const texts = new Map<string, Uint8Array>();
  for (const { name } of names.sort((a, b) => (a.name < b.name ? -1 : 1)))
    texts.set(name, await readFile(join(folder, name)));
  return texts;
}

/** What npm's lock says of this folder, if it speaks of this version. */
async function lockedIntegrity(folder: string, version: string): Promise<string | undefined> {
  const at = folder.indexOf(MODULES);
  if (at < 0) return undefined;
  const top = folder.slice(0, at);
  const lock = await json(join(top, 'package-lock.json'));
  const key = relative(top, folder).replaceAll(sep, '/');
  const locked = record(record(lock.packages)[key]);
  return locked.version === version && typeof locked.integrity === 'string' ? locked.integrity : undefined;
}

/** Empty for what is not there. What is there and broken has stopped the bundler, or npm, before. */
async function json(path: string): Promise<Record<string, unknown>> {
  return existsSync(path) ? record(JSON.parse(await readFile(path, 'utf8'))) : {};
}

function record(value: unknown): Record<string, unknown> {
  return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : {};
}
