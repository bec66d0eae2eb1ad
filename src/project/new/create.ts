import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, renameSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { FwError } from '../../errors.ts';
import { checkKeyMode, readKeyFolder, type StoredKey, storedKey } from '../keys/folder.ts';
import { createKey, discardKey, keyExists } from '../keys/store.ts';
import { undisturbed } from '../undisturbed.ts';
import { checkDestination, projectName } from './destination.ts';
import { findSshKeys, type SshKey } from './ssh-keys.ts';
import { projectFiles } from './template.ts';
import { toolkitSpec } from './toolkit-spec.ts';

export interface NewProjectOptions {
  dir: string;
  /** Default: the name of the folder. */
  name?: string;
  targets: readonly string[];
  /** A signing key that is there already. Default: a new one, named as the project. */
  key?: string;
  /** What package.json says of hearthfw. Default: the toolkit that is running. */
  hearthfw?: string;
}

/** What of the user's machine a new project is made with. */
export interface Home {
  keyFolder: string;
  sshFolder: string;
  agentSocket: string | undefined;
}

export interface NewProject {
  dir: string;
  name: string;
  targets: readonly string[];
  key: StoredKey;
  /** Whether the key was made just now. */
  keyIsNew: boolean;
  sshKeys: SshKey[];
  hearthfw: string;
  /** Paths in the project. */
  files: string[];
}

/**
 * Makes a project: all of it, or nothing.
 * @throws FwError `folder-not-empty`, `not-a-folder`, `not-writable`, `bad-project-name`, `key-exists`, `no-such-key`,
 *   and those of the key folder
 */
export async function createProject(options: NewProjectOptions, home: Home): Promise<NewProject> {
  const dir = resolve(options.dir);
  const name = projectName(dir, options.name);
  const state = stateOf(dir);
  const chosen = chooseKey(name, options.key, home.keyFolder);
  const sshKeys = await findSshKeys(home.sshFolder, home.agentSocket);
  const hearthfw = options.hearthfw ?? toolkitSpec(dir);
  return undisturbed(() => {
    const key = chosen ?? createKey(name, home.keyFolder);
    try {
      const files = projectFiles({
        name,
        key: key.name,
        hearthfw,
        targets: options.targets,
        updateKeys: [key.publicKey.line],
        sshKeys: sshKeys.map(({ line }) => line),
      });
      place(files, dir, state);
      const paths = [...files.keys()].sort();
      return { dir, name, targets: options.targets, key, keyIsNew: !chosen, sshKeys, hearthfw, files: paths };
    } catch (error) {
      if (!chosen) discardKey(key);
      throw error;
    }
  });
}

function stateOf(dir: string): 'missing' | 'empty' {
  try {
    return checkDestination(dir);
  } catch (error) {
    throw notWritable(error, dir);
  }
}

/** The key that was asked for; undefined when one is to be made. */
function chooseKey(name: string, asked: string | undefined, folder: string): StoredKey | undefined {
  if (asked !== undefined) {
    const key = storedKey(asked, folder);
    checkKeyMode(key);
    return key;
  }
  const { keys, unusable } = readKeyFolder(folder);
  const there = [...keys, ...unusable].find((key) => key.name === name);
  if (!there) return undefined;
  throw keyExists(name, there.path, {
    expected: `--key ${name}, when this is the same product as before; else a key of its own`,
    remedy: `Add \`--key ${name}\` to sign with that key, or run \`fw key new ${name}-2\` first and add \`--key ${name}-2\`.`,
  });
}

/** Writes the files beside the folder, or inside when it is there already, and moves them once all are written. */
function place(files: Map<string, string>, dir: string, state: 'missing' | 'empty'): void {
  const mark = `.fw-new-${process.pid}-${randomBytes(4).toString('hex')}`;
  const staging = join(state === 'empty' ? dir : dirname(dir), mark);
  let made: string | undefined;
  const moved: string[] = [];
  try {
    made = mkdirSync(staging, { recursive: true });
    for (const [path, text] of files) {
      mkdirSync(dirname(join(staging, path)), { recursive: true });
      writeFileSync(join(staging, path), text);
    }
    if (state === 'missing') renameSync(staging, dir);
    else {
      for (const entry of readdirSync(staging)) {
        renameSync(join(staging, entry), join(dir, entry));
        moved.push(entry);
      }
      rmdirSync(staging);
    }
  } catch (error) {
    for (const path of [...moved.map((entry) => join(dir, entry)), ...(made ? [made] : [])])
      rmSync(path, { recursive: true, force: true });
    throw notWritable(error, dir);
  }
}

function notWritable(error: unknown, dir: string): unknown {
  const { code, syscall, message } = error as NodeJS.ErrnoException;
  if (code === undefined || syscall === undefined) return error;
  return new FwError('not-writable', `the project was not made: ${message}`, {
    where: dir,
    expected: `a place for ${basename(dir)} that you may write to`,
    remedy: 'Choose a folder that you may write to, on a disk that has room.',
    cause: error,
  });
}
