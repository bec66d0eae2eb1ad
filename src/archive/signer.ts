import { sign as signEd25519 } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { FwError } from '../errors.ts';
import { type AgentOptions, agentKeys, agentSign } from './agent.ts';
import { parsePrivateKey } from './private-key.ts';
import { checkKeyType, fingerprint, parsePublicKey } from './public-key.ts';
import { WireReader } from './ssh-wire.ts';

/** Somebody who can sign: a key file, an agent, or a program of the user's own. */
export interface Signer {
  /** A line of an OpenSSH public key file. */
  readonly publicKey: string;
  /** Ed25519 (RFC 8032) over exactly these bytes: 64 bytes. SSHSIG's framing is the caller's. */
  sign(data: Uint8Array): Promise<Uint8Array>;
}

/**
 * Signs with an unencrypted OpenSSH private key file.
 * @throws FwError `key-missing`, `key-encrypted`, `key-type-unsupported`, `bad-ssh-key`
 */
export async function fileSigner(path: string): Promise<Signer> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (cause) {
    throw new FwError('key-missing', `the signing key ${path} cannot be read`, {
      where: path,
      expected: 'an OpenSSH private key (ssh-ed25519)',
      remedy: 'Copy it there from where you keep it, or add it to ssh-agent with `ssh-add`.',
      cause,
    });
  }
  return keySigner(text, path);
}

/** Signs with the text of such a file. `where` names it in errors. */
export function keySigner(text: string, where: string): Signer {
  const { publicKey, key } = parsePrivateKey(text, where);
  return { publicKey: publicKey.line, sign: async (data) => signEd25519(null, data, key) };
}

/**
 * Signs through ssh-agent, with the key whose public half is given.
 * @param socketPath what SSH_AUTH_SOCK says
 * @throws FwError `agent-missing`, `agent-unreachable`, `agent-lacks-key`, `agent-refused`, `bad-ssh-agent`
 */
export async function agentSigner(
  publicKey: string,
  socketPath: string | undefined,
  options: AgentOptions = {},
): Promise<Signer> {
  const key = parsePublicKey(publicKey);
  if (!socketPath) {
    throw new FwError('agent-missing', `no ssh-agent to sign with ${fingerprint(key)}`, {
      where: 'SSH_AUTH_SOCK',
      remedy: 'Start one with `eval "$(ssh-agent)"` and add the key with `ssh-add FILE`.',
    });
  }
  const held = await agentKeys(socketPath, options);
  if (!held.some((blob) => blob.equals(key.blob))) {
    throw new FwError('agent-lacks-key', `the ssh-agent does not hold ${fingerprint(key)}`, {
      where: socketPath,
      expected: key.line,
      remedy: 'Add it with `ssh-add FILE`; `ssh-add -l` lists what the agent holds.',
    });
  }
  return {
    publicKey: key.line,
    sign: async (data) => {
      const reader = new WireReader('ssh-agent', await agentSign(socketPath, key.blob, data, options));
      checkKeyType(reader.text('the type of the signature'), "the agent's signature");
      const signature = reader.string('the signature');
      reader.end('the signature');
      return signature;
    },
  };
}
