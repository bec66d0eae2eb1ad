import type { Socket } from 'node:net';
import { Readable, Writable } from 'node:stream';
import { encodeStream, type FrameType } from './frame.ts';
import type { Size } from './request.ts';

/** A client that reads no more (a terminal that was stopped) must not fill the app's memory with what it is told. */
export const MOST_WAITING_BYTES = 16 * 1024 * 1024;

/** One of the client's streams, as a stream of this process; the first of them is its terminal, if it has one. */
export class Outlet extends Writable {
  columns: number;
  rows: number;
  readonly #socket: Socket;
  readonly #type: FrameType;

  constructor(socket: Socket, type: FrameType, { columns, rows }: Size) {
    super({ decodeStrings: true });
    this.#socket = socket;
    this.#type = type;
    this.columns = columns;
    this.rows = rows;
    // The socket says it too, and that is where it is looked at.
    this.on('error', () => {});
  }

  override _write(bytes: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    if (this.writableLength - bytes.length > MOST_WAITING_BYTES) {
      this.#socket.destroy();
      done();
    } else if (bytes.length === 0 || this.#socket.destroyed) done();
    else this.#socket.write(encodeStream(this.#type, bytes), () => done());
  }

  resize({ columns, rows }: Size): void {
    this.columns = columns;
    this.rows = rows;
    this.emit('resize');
  }
}

/** What may wait for who iterates before the client is slowed down. */
const MOST_UNREAD_BYTES = 256 * 1024;

/** What a piece costs besides its bytes, about. */
const PIECE_BYTES = 128;

/** The client's standard input. What nobody reads is left in the socket. */
export class Inlet extends Readable {
  readonly #socket: Socket;
  #over = false;
  /** What has come for who iterates. */
  #pieces: Buffer[] | undefined;
  #unread = 0;
  #wake = (): void => {};

  constructor(socket: Socket) {
    super();
    this.#socket = socket;
  }

  override _read(): void {
    this.#socket.resume();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#wake();
    done(error);
  }

  /**
   * Piece by piece, as they came, and past all that a Readable does for each, which is a tenth of an upload's work; its own
   * iterator would copy all that waits into one besides.
   */
  override async *[Symbol.asyncIterator](): NodeJS.AsyncIterator<Buffer> {
    const before: Buffer | null = this.read();
    this.#pieces = before ? [before] : [];
    try {
      while (!this.destroyed) {
        const pieces = this.#pieces;
        this.#pieces = [];
        this.#unread = 0;
        yield* pieces;
        if (this.#pieces.length > 0) continue;
        if (this.#over) return;
        const more = new Promise<void>((resolve) => {
          this.#wake = resolve;
        });
        this.#socket.resume();
        await more;
      }
    } finally {
      this.destroy();
    }
  }

  /** Undefined: there is no more. */
  deliver(bytes: Buffer | undefined): void {
    if (this.#over || this.destroyed) return;
    this.#over = bytes === undefined;
    if (!this.#pieces) {
      if (!this.push(bytes ?? null) && bytes !== undefined) this.#socket.pause();
      return;
    }
    if (bytes) {
      this.#pieces.push(bytes);
      this.#unread += bytes.length + PIECE_BYTES;
      if (this.#unread > MOST_UNREAD_BYTES) this.#socket.pause();
    }
    this.#wake();
  }
}
