import type { Socket } from 'node:net';
import { FormatError } from '../../errors.ts';
import type { ByteReader } from './byte-reader.ts';
import * as nbd from './protocol.ts';
import type { Store } from './store.ts';

/** What becomes of a client's requests. */
export interface Client {
  hasPower: boolean;
  /** Whether its flushes are its own, and not its guest's. */
  leaves: boolean;
}

/**
 * Serves a client's requests, one after the other, until it leaves or the power is gone: what comes afterwards is neither done
 * nor answered.
 * @throws FormatError `bad-nbd`
 */
export async function serveRequests(
  socket: Socket,
  reader: ByteReader,
  store: Store,
  client: Client,
): Promise<void> {
  for (;;) {
    const header = await reader.take(nbd.REQUEST_BYTES);
    if (!header) return;
    const request = nbd.parseRequest(header);
    if (!request) throw new FormatError('nbd', 'a request without its magic');
    const { command, length, cookie } = request;
    if (command === nbd.COMMAND.disconnect) return;
    const carries = command === nbd.COMMAND.write ? length : 0;
    if (carries > nbd.MAX_PAYLOAD) throw new FormatError('nbd', `a write of ${carries} bytes`);
    const payload = await reader.take(carries);
    if (!payload || !client.hasPower) return;
    const leaves = client.leaves && command === nbd.COMMAND.flush;
    const { errno, data } = leaves ? DONE : perform(store, request, payload);
    if (!client.hasPower) return;
    const reply = nbd.encodeReply(cookie, errno);
    if (!socket.write(data ? Buffer.concat([reply, data]) : reply)) await drained(socket);
  }
}

/** A client that is slow to read is read slowly. */
function drained(socket: Socket): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      socket.off('drain', done).off('close', done);
      resolve();
    };
    socket.on('drain', done).on('close', done);
    if (socket.closed) done();
  });
}

interface Outcome {
  errno: number;
  data?: Uint8Array;
}

const DONE: Outcome = { errno: nbd.ERRNO.none };

function perform(store: Store, request: nbd.Request, payload: Buffer): Outcome {
  const { command, flags, length } = request;
  const refusal = whyNot(store.size, request);
  if (refusal) return { errno: refusal };
  const offset = Number(request.offset);
  const durable = (flags & nbd.COMMAND_FLAG.durable) !== 0;
  switch (command) {
    case nbd.COMMAND.read:
      return { errno: nbd.ERRNO.none, data: store.read(offset, length) };
    case nbd.COMMAND.write:
      store.write(offset, payload, durable);
      break;
    case nbd.COMMAND.trim:
    case nbd.COMMAND.writeZeroes:
      store.clear(offset, length, durable);
      break;
    case nbd.COMMAND.flush:
      store.flush();
      break;
  }
  return DONE;
}

const COMMANDS: ReadonlySet<number> = new Set(Object.values(nbd.COMMAND));
const FLAGS = nbd.COMMAND_FLAG.durable | nbd.COMMAND_FLAG.noHole;

function whyNot(size: number, { command, flags, offset, length }: nbd.Request): number {
  if (!COMMANDS.has(command) || flags & ~FLAGS) return nbd.ERRNO.invalid;
  if (command === nbd.COMMAND.read && length > nbd.MAX_PAYLOAD) return nbd.ERRNO.invalid;
  const fits = offset + BigInt(length) <= BigInt(size);
  if (fits) return nbd.ERRNO.none;
  const writes = command === nbd.COMMAND.write || command === nbd.COMMAND.writeZeroes;
  return writes ? nbd.ERRNO.noSpace : nbd.ERRNO.invalid;
}
