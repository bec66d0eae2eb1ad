import type { Socket } from 'node:net';

/** The bytes of a socket, as many at a time as are asked for. */
export class ByteReader {
  readonly #socket: Socket;
  #wake: (() => void) | undefined;
  #over = false;

  constructor(socket: Socket) {
    this.#socket = socket;
    const wake = (): void => this.#wake?.();
    const over = (): void => {
      this.#over = true;
      wake();
    };
    socket.on('readable', wake).on('end', over).on('close', over);
  }

  /** Exactly that many; undefined when the peer has gone before. */
  async take(length: number): Promise<Buffer | undefined> {
    if (length === 0) return Buffer.alloc(0);
    for (;;) {
      const bytes: Buffer | null = this.#socket.read(length);
      // At its end a stream gives what it has left, however little.
      if (bytes) return bytes.length === length ? bytes : undefined;
      if (this.#over) return undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
