import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import type { Trust } from '../../archive/index.ts';
import { FwError } from '../../errors.ts';
import { CONFIG_FILE, loadProject } from '../../project/load.ts';

/** Whose signature counts, and who says so. */
export type TrustSource =
  | { trust: 'keys'; keys: string[] }
  | { trust: 'project'; keys: string[]; configFile: string }
  /** Nobody was asked: the firmware's own word. */
  | { trust: 'self' };

export interface TrustOptions {
  /** Public keys: lines, or files of them. */
  keys: readonly string[];
  /** A project's folder; without one, the folder here counts if it is one. */
  app?: string;
}

/** The keys that were given, else those of the project, else none. */
export async function findTrust({ keys, app }: TrustOptions): Promise<TrustSource> {
  if (keys.length > 0) return { trust: 'keys', keys: (await Promise.all(keys.map(keyLines))).flat() };
  const folder = resolve(app ?? '.');
  if (app === undefined && !existsSync(join(folder, CONFIG_FILE))) return { trust: 'self' };
  const { config, configFile } = await loadProject(folder);
  return { trust: 'project', keys: config.updateKeys, configFile };
}

export function trustOf(source: TrustSource): Trust {
  return source.trust === 'self' ? 'self' : source.keys;
}

/** A line as it is; else a file of lines, as ssh-keygen writes it, with comments and empty ones. */
async function keyLines(text: string): Promise<string[]> {
  if (/^(ssh|sk|ecdsa)-\S+\s/.test(text)) return [text];
  const content = await readFile(text, 'utf8').catch((cause: unknown) => {
    throw new FwError('key-missing', `the public key ${text} cannot be read: ${(cause as Error).message}`, {
      where: text,
      expected: "a file of public keys, or one key: 'ssh-ed25519 AAAA…'",
      remedy: 'Name the .pub file of the key, or quote the line of the key.',
      cause,
    });
  });
  return content
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line && !line.startsWith('#'));
}
