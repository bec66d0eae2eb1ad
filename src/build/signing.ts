import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { parsePublicKey, sameKey } from '../archive/public-key.ts';
import { agentSigner, fileSigner, keySigner, type Signer } from '../archive/signer.ts';
import { FwError } from '../errors.ts';
import type { Project } from '../project/load.ts';

/** Where a developer's signing keys lie, one OpenSSH private key a file. */
export function keyFolder(env: NodeJS.ProcessEnv = process.env): string {
  return env.HEARTH_KEYS ?? join(env.XDG_CONFIG_HOME ?? join(homedir(), '.config'), 'hearth', 'keys');
}

/**
 * The private half of one of the project's update keys, from the first place that has it: the environment
 * (HEARTH_SIGNING_KEY: a file, or the key itself, for CI secrets), the config's `signingKey`, the key folder, ssh-agent.
 */
export async function findSigner(project: Project, env: NodeJS.ProcessEnv = process.env): Promise<Signer> {
  const trusted = project.config.updateKeys.map(parsePublicKey);
  const trusts = ({ publicKey }: Signer): boolean =>
    trusted.some((key) => sameKey(key, parsePublicKey(publicKey)));

  const secret = env.HEARTH_SIGNING_KEY;
  if (secret) {
    const signer = secret.includes('PRIVATE KEY')
      ? keySigner(secret, 'HEARTH_SIGNING_KEY')
      : await fileSigner(resolve(secret));
    if (trusts(signer)) return signer;
    throw mismatch('HEARTH_SIGNING_KEY', project);
  }
  if (project.config.signingKey) {
    const signer = await fileSigner(resolve(project.dir, project.config.signingKey));
    if (trusts(signer)) return signer;
    throw mismatch(`${project.configFile}: signingKey`, project);
  }
  // The folder may hold keys of other projects, with a passphrase, and what else people keep there.
  const unusable: string[] = [];
  for (const path of await keyFiles(keyFolder(env))) {
    const signer = await fileSigner(path).catch((error: unknown) => {
      if (!(error instanceof FwError)) throw error;
      unusable.push(`${path}: ${error.message}`);
    });
    if (signer && trusts(signer)) return signer;
  }
  for (const key of trusted) {
    const signer = await fromAgent(key.line, env.SSH_AUTH_SOCK);
    if (signer) return signer;
  }
  throw new FwError(
    'no-signing-key',
    [
      'no private key for any of the update keys was found, so the firmware cannot be signed',
      ...unusable.map((line) => `  not usable: ${line}`),
    ].join('\n'),
    {
      where: `${project.configFile}: updateKeys`,
      expected: `the private half of one of ${project.config.updateKeys.length} ssh-ed25519 keys in HEARTH_SIGNING_KEY, ${keyFolder(env)} or ssh-agent`,
      remedy:
        'Get the key from a colleague who has it, put a CI secret into HEARTH_SIGNING_KEY, or add the public half of a key of yours to updateKeys: ' +
        'devices in the field will take firmware signed by it only after an update signed by a key that they know.',
    },
  );
}

async function keyFiles(folder: string): Promise<string[]> {
  if (!existsSync(folder)) return [];
  const names = await readdir(folder);
  return names
    .filter((name) => !name.endsWith('.pub'))
    .sort()
    .map((name) => join(folder, name));
}

/** Undefined when there is no agent, or it lacks the key; an agent that misbehaves is an error. */
async function fromAgent(publicKey: string, socket: string | undefined): Promise<Signer | undefined> {
  try {
    return await agentSigner(publicKey, socket);
  } catch (error) {
    const expected = ['agent-missing', 'agent-lacks-key', 'agent-unreachable'];
    if (error instanceof FwError && expected.includes(error.code)) return undefined;
    throw error;
  }
}

function mismatch(where: string, project: Project): FwError {
  return new FwError('signing-key-not-trusted', `the signing key is not among the project's update keys`, {
    where,
    expected: `the private half of a key in updateKeys of ${project.configFile}`,
    remedy: 'Use the matching private key, or add its public half to updateKeys.',
  });
}
