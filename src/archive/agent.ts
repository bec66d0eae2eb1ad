import { connect } from 'node:net';
import { FormatError, FwError } from '../errors.ts';
import { WireReader, wireString, wireUint32 } from './ssh-wire.ts';

/** The two requests of the SSH agent protocol that signing needs. Source: draft-ietf-sshm-ssh-agent. */
const MESSAGE = {
  failure: 5,
  requestIdentities: 11,
  identitiesAnswer: 12,
  signRequest: 13,
  signResponse: 14,
} as const;
/** OpenSSH's own bound for a message of an agent. */
const MAX_MESSAGE = 256 * 1024;

export interface AgentOptions {
  /** How long the agent may stay silent; long, because it may be asking its user to confirm. */
  timeoutMs?: number;
}

/** The public keys that the agent holds, as SSH blobs. */
export async function agentKeys(socketPath: string, options: AgentOptions = {}): Promise<Buffer[]> {
  return (await agentIdentities(socketPath, options)).map(({ blob }) => blob);
}

/** The same with the comments that the agent knows them by. */
export async function agentIdentities(
  socketPath: string,
  options: AgentOptions = {},
): Promise<{ blob: Buffer; comment: string }[]> {
  const answer = await request(socketPath, Buffer.from([MESSAGE.requestIdentities]), options);
  if (answer[0] !== MESSAGE.identitiesAnswer) throw refused(socketPath, 'list its keys');
  const reader = new WireReader('ssh-agent', answer.subarray(1));
  const keys: { blob: Buffer; comment: string }[] = [];
  for (let left = reader.uint32('the number of keys'); left > 0; left--) {
    const blob = reader.string('a key');
    keys.push({ blob, comment: reader.string('a comment').toString('utf8') });
  }
  return keys;
}

/** The key's signature over `data`: string type, string signature. */
export async function agentSign(
  socketPath: string,
  keyBlob: Uint8Array,
  data: Uint8Array,
  options: AgentOptions = {},
): Promise<Buffer> {
  const flags = wireUint32(0);
  const body = Buffer.concat([
    Buffer.from([MESSAGE.signRequest]),
    wireString(keyBlob),
    wireString(data),
    flags,
  ]);
  const answer = await request(socketPath, body, options);
  if (answer[0] !== MESSAGE.signResponse) throw refused(socketPath, 'sign');
  const reader = new WireReader('ssh-agent', answer.subarray(1));
  const signature = reader.string('the signature');
  reader.end('the signature');
  return signature;
}

function request(socketPath: string, body: Buffer, { timeoutMs = 120_000 }: AgentOptions): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const socket = connect(socketPath);
    const pieces: Buffer[] = [];
    let received = 0;
    const fail = (error: FwError) => {
      socket.destroy();
      reject(error);
    };
    socket.setTimeout(timeoutMs, () =>
      fail(unreachable(socketPath, `did not answer within ${timeoutMs / 1000} s`)),
    );
    socket.on('error', (cause) => fail(unreachable(socketPath, 'cannot be reached', cause)));
    socket.on('end', () => fail(unreachable(socketPath, 'closed the connection without an answer')));
    socket.on('data', (piece) => {
      pieces.push(piece);
      received += piece.length;
      if (received < 4) return;
      const all = Buffer.concat(pieces);
      const length = all.readUInt32BE();
      if (length === 0 || length > MAX_MESSAGE) {
        fail(
          new FormatError('ssh-agent', `an answer of ${length} bytes`, {
            expected: `1 to ${MAX_MESSAGE} bytes`,
          }),
        );
      } else if (all.length >= 4 + length) {
        socket.destroy();
        resolve(all.subarray(4, 4 + length));
      }
    });
    socket.write(wireString(body));
  });
}

function unreachable(socketPath: string, what: string, cause?: unknown): FwError {
  return new FwError('agent-unreachable', `the ssh-agent at ${socketPath} ${what}`, {
    where: socketPath,
    remedy: 'Start one with `eval "$(ssh-agent)"` and add the key with `ssh-add FILE`.',
    cause,
  });
}

function refused(socketPath: string, verb: string): FwError {
  return new FwError('agent-refused', `the ssh-agent refused to ${verb}`, {
    where: socketPath,
    remedy: 'Confirm the request where the agent asks, or unlock it with `ssh-add -X`.',
  });
}
