import type { Socket } from 'node:net';
import { FormatError } from '../../errors.ts';
import type { ByteReader } from './byte-reader.ts';
import * as nbd from './protocol.ts';

/** The export has no name: the one that a client gets that asks for none. */
const EXPORT = '';

/**
 * Greets a client and answers its options until it has chosen the export.
 * @returns whether it has; a client may as well leave
 * @throws FormatError `bad-nbd`
 */
export async function shakeHands(socket: Socket, reader: ByteReader, size: number): Promise<boolean> {
  socket.write(nbd.encodeGreeting());
  const flags = (await reader.take(4))?.readUInt32BE(0);
  if (flags === undefined) return false;
  const known = nbd.HANDSHAKE.fixedNewstyle | nbd.HANDSHAKE.noZeroes;
  if (!(flags & nbd.HANDSHAKE.fixedNewstyle) || flags & ~known)
    throw new FormatError('nbd', `a client with the flags ${flags}`, {
      expected: 'the fixed newstyle handshake',
    });
  for (;;) {
    const header = await reader.take(16);
    if (!header) return false;
    const option = header.readUInt32BE(8);
    const length = header.readUInt32BE(12);
    if (header.readBigUInt64BE(0) !== nbd.OPTION_MAGIC)
      throw new FormatError('nbd', 'an option without its magic');
    if (length > nbd.MAX_OPTION) throw new FormatError('nbd', `an option of ${length} bytes`);
    const data = await reader.take(length);
    if (!data) return false;
    const reply = (type: number, bytes?: Uint8Array): void =>
      void socket.write(nbd.encodeOptionReply(option, type, bytes));
    switch (option) {
      case nbd.OPTION.exportName: {
        // This option knows no refusal but the end.
        if (data.toString('utf8') !== EXPORT) return false;
        const zeroes = Buffer.alloc(flags & nbd.HANDSHAKE.noZeroes ? 0 : 124);
        socket.write(Buffer.concat([nbd.encodeExport(size), zeroes]));
        return true;
      }
      case nbd.OPTION.abort:
        reply(nbd.REPLY.ack);
        return false;
      case nbd.OPTION.list:
        if (length > 0) reply(nbd.REPLY.invalid);
        else {
          // A name of no bytes, after its length.
          reply(nbd.REPLY.server, Buffer.alloc(4));
          reply(nbd.REPLY.ack);
        }
        break;
      case nbd.OPTION.info:
      case nbd.OPTION.go: {
        const wanted = nbd.parseInfoRequest(data);
        if (!wanted) reply(nbd.REPLY.invalid);
        else if (wanted.name !== EXPORT) reply(nbd.REPLY.unknownExport);
        else {
          reply(nbd.REPLY.info, nbd.encodeExportInfo(size));
          if (wanted.kinds.includes(nbd.INFO.blockSize)) reply(nbd.REPLY.info, nbd.encodeBlockSizeInfo());
          reply(nbd.REPLY.ack);
          if (option === nbd.OPTION.go) return true;
        }
        break;
      }
      default:
        reply(nbd.REPLY.unsupported);
    }
  }
}
