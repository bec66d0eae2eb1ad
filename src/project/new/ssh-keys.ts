import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { agentIdentities } from '../../archive/agent.ts';
import { FwError } from '../../errors.ts';
import { LOGIN_KEY_TYPES } from '../../update/login-keys.ts';

/** A key that may log in to the device. */
export interface SshKey {
  /** A line of authorized_keys: type, base64, comment. */
  line: string;
  /** Where it was found: a path, or `ssh-agent`. */
  from: string;
}

/** An agent that is forwarded over a dead connection never answers, and nobody waits for it. */
const AGENT_TIMEOUT_MS = 3_000;

/** The public SSH keys of the user: those of a folder such as ~/.ssh, then what only their ssh-agent has. */
export async function findSshKeys(folder: string, agentSocket: string | undefined): Promise<SshKey[]> {
  const found = new Map<string, SshKey>();
  for (const key of [...keysInFolder(folder), ...(await keysInAgent(agentSocket))]) {
    const [, base64 = ''] = key.line.split(' ');
    if (!found.has(base64)) found.set(base64, key);
  }
  return [...found.values()];
}

function keysInFolder(folder: string): SshKey[] {
  return fileNames(folder).flatMap((name) => {
    const path = join(folder, name);
    const line = publicLine(textOf(path).split('\n', 1)[0] ?? '');
    return line ? [{ line, from: path }] : [];
  });
}

async function keysInAgent(socket: string | undefined): Promise<SshKey[]> {
  if (!socket) return [];
  try {
    const held = await agentIdentities(socket, { timeoutMs: AGENT_TIMEOUT_MS });
    return held.flatMap(({ blob, comment }) => {
      const line = publicLine(`${typeOf(blob)} ${blob.toString('base64')} ${comment}`);
      return line ? [{ line, from: 'ssh-agent' }] : [];
    });
  } catch (error) {
    // Keys of an agent are a convenience: without them the folder's have to do, and the user is told which were found.
    if (error instanceof FwError) return [];
    throw error;
  }
}

/** The line as it may stand in authorized_keys, or undefined for what is no key that can log in. */
export function publicLine(text: string): string | undefined {
  const [type = '', base64 = '', ...comment] = text.trim().split(/\s+/);
  const line = [type, base64, ...comment].join(' ');
  if (!LOGIN_KEY_TYPES.includes(type) || /\p{Cc}/u.test(line)) return undefined;
  const blob = Buffer.from(base64, 'base64');
  if (blob.toString('base64') !== base64 || typeOf(blob) !== type) return undefined;
  return line;
}

/** RFC 4253, section 6.6: a key is strings, of which the first names its type. Undefined for what is torn. */
function typeOf(blob: Buffer): string | undefined {
  let type: string | undefined;
  for (let at = 0; at < blob.length; ) {
    const end = at + 4 <= blob.length ? at + 4 + blob.readUInt32BE(at) : Number.POSITIVE_INFINITY;
    if (end > blob.length) return undefined;
    type ??= blob.subarray(at + 4, end).toString('latin1');
    at = end;
  }
  return type;
}

function fileNames(folder: string): string[] {
  try {
    return readdirSync(folder)
      .filter((name) => name.endsWith('.pub'))
      .sort();
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

/** Empty for what is no file that the user can read: it is no key of theirs then. */
function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (isMissing(error)) return '';
    throw error;
  }
}

function isMissing(error: unknown): boolean {
  const { code = '' } = error as NodeJS.ErrnoException;
  return ['ENOENT', 'ENOTDIR', 'EISDIR', 'EACCES'].includes(code);
}
