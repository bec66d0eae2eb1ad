import { resolve } from 'node:path';
import {
  agentSigner,
  fileSigner,
  fingerprint,
  keySigner,
  type PublicKey,
  parsePublicKey,
  type Signer,
  sameKey,
} from '../archive/index.ts';
import { FwError } from '../errors.ts';
import { checkKeyMode, isKeyName, keyFolder, readKeyFolder } from '../project/keys/folder.ts';
import type { Project } from '../project/load.ts';

export interface FoundSigner extends Signer {
  /** Where the key was found: `HEARTH_SIGNING_KEY`, a path, or `ssh-agent`. */
  readonly source: string;
}

/**
 * The private half of the first of the project's update keys that there is one of, from the first place that has it: the environment
 * (HEARTH_SIGNING_KEY: a file, or the key itself, for CI secrets), the config's `signingKey`, the key folder, ssh-agent.
 */
export async function findSigner(
  project: Project,
  env: NodeJS.ProcessEnv = process.env,
): Promise<FoundSigner> {
  const trusted = project.config.updateKeys.map(parsePublicKey);
  const trusts = (key: PublicKey): boolean => trusted.some((one) => sameKey(one, key));

  const named = await namedSigner(project, env);
  if (named) {
    if (trusts(parsePublicKey(named.publicKey))) return named;
    throw mismatch(named, project, trusted);
  }
  const { keys, unusable } = readKeyFolder(keyFolder(env));
  const own = keys.filter(({ publicKey }) => trusts(publicKey));
  // In the project's order: in the midst of a change of keys it is not all the same which of them signs.
  for (const key of trusted) {
    const ready = own.find(
      ({ publicKey, encrypted, tooOpen }) => sameKey(publicKey, key) && !encrypted && !tooOpen,
    );
    if (ready) return { ...(await fileSigner(ready.path)), source: ready.path };
    const signer = await fromAgent(key.line, env.SSH_AUTH_SOCK);
    if (signer) return { ...signer, source: 'ssh-agent' };
  }
  const [unfit] = own;
  if (unfit) {
    checkKeyMode(unfit);
    // Says what to do with a key that has a passphrase.
    return { ...(await fileSigner(unfit.path)), source: unfit.path };
  }
  const why = unusable.map(({ path, why: { message } }) => `not usable: ${path}: ${message}`);
  throw notFound(project, trusted, keyFolder(env), why);
}

/** What was asked for by name is taken, or an error: never passed over in silence. */
async function namedSigner(project: Project, env: NodeJS.ProcessEnv): Promise<FoundSigner | undefined> {
  const secret = env.HEARTH_SIGNING_KEY;
  if (secret) {
    const signer = /PRIVATE KEY|^ssh-\S+ /.test(secret)
      ? keySigner(secret, 'HEARTH_SIGNING_KEY')
      : await fileSigner(resolve(secret));
    return { ...signer, source: 'HEARTH_SIGNING_KEY' };
  }
  const { signingKey } = project.config;
  if (!signingKey) return undefined;
  const path = resolve(project.dir, signingKey);
  return { ...(await fileSigner(path)), source: `${project.configFile}: signingKey` };
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

function notFound(project: Project, trusted: PublicKey[], folder: string, unusable: string[]): FwError {
  const [first] = trusted.map(commentOf);
  const name = first && isKeyName(first) ? first : project.config.name;
  const lines = [...trusted.map((key) => `wanted: ${nameOf(key)}`), ...unusable];
  return new FwError(
    'no-signing-key',
    `the firmware cannot be signed: this machine has the private half of none of the project's update keys\n${lines
      .map((line) => `  ${line}`)
      .join('\n')}`,
    {
      where: `${project.configFile}: updateKeys`,
      expected: `the private half of ${trusted.length === 1 ? 'that key' : 'one of those keys'} in HEARTH_SIGNING_KEY, ${folder} or ssh-agent`,
      remedy:
        `A colleague who has it runs \`fw key export ${name} > ${name}.key\`, you run \`fw key import ${name} ${name}.key\`. ` +
        'In CI, put the same text into a secret named HEARTH_SIGNING_KEY. ' +
        `If nobody has it, make a key with \`fw key new NAME\` and put its public half into updateKeys: ` +
        'devices in the field take firmware signed by it only after an update signed by a key that they know.',
    },
  );
}

function mismatch(signer: FoundSigner, project: Project, trusted: PublicKey[]): FwError {
  return new FwError(
    'signing-key-not-trusted',
    `the signing key ${nameOf(parsePublicKey(signer.publicKey))} is not among the project's update keys`,
    {
      where: signer.source,
      expected: `the private half of a key in updateKeys of ${project.configFile}: ${trusted.map(nameOf).join(', ')}`,
      remedy: 'Use the matching private key, or add its public half to updateKeys.',
    },
  );
}

/** A key as people know it: its comment, and its fingerprint. */
function nameOf(key: PublicKey): string {
  return `${commentOf(key)} ${fingerprint(key)}`.trim();
}

function commentOf({ line }: PublicKey): string {
  return line.split(' ').slice(2).join(' ');
}
