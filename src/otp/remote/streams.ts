import type { Socket } from 'node:net';
import { Readable, Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
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

/** The client's standard input. What nobody reads is left in the socket. */
export class Inlet extends Readable {
  readonly #socket: Socket;

  constructor(socket: Socket) {
    super();
    this.#socket = socket;
  }

  override _read(): void {
    this.#socket.resume();
  }

  /** Piece by piece, as they came: a Readable's own iterator first copies all that waits into one. */
  override async *[Symbol.asyncIterator](): NodeJS.AsyncIterator<Buffer> {
    let waiting: Buffer[] = [];
    let wake = (): void => {};
    const ended = finished(this, { writable: false }).finally(() => wake());
    ended.catch(() => {});
    this.on('data', (piece: Buffer) => {
      waiting.push(piece);
      this.pause();
      wake();
    });
    try {
      while (!this.readableEnded && !this.destroyed) {
        await new Promise<void>((resolve) => {
          wake = resolve;
          this.resume();
        });
        const pieces = waiting;
        waiting = [];
        yield* pieces;
      }
      await ended;
    } finally {
      this.destroy();
    }
  }

  /** Undefined: there is no more. */
  deliver(bytes: Buffer | undefined): void {
    if (this.readableEnded || this.destroyed) return;
    if (!this.push(bytes ?? null) && bytes !== undefined) this.#socket.pause();
  }
}
