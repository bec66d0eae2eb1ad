import { writeSync } from 'node:fs';
import type { Backend } from './outlet.ts';

/** How often, and how long each time, the end of the process waits for a reader that is slow: a second for all lines. */
const WAITS_AT_END = 100;
const WAIT_MS = 10;

/**
 * Writes to standard error. When the reader does not keep up, records wait in the backend's bounded queue, where the least
 * important make room, and not in the stream's memory: what is there at the end of the process is lost.
 */
export function consoleBackend(stream: NodeJS.WriteStream & { fd: number } = process.stderr): Backend {
  let ended = false;
  let waits = WAITS_AT_END;
  let ready = (): void => {};
  const written = (): void => {
    if (stream.writableLength === 0) ready();
  };
  function writeNow(line: string): void {
    let bytes: Uint8Array = Buffer.from(line);
    while (bytes.length > 0) {
      try {
        bytes = bytes.subarray(writeSync(stream.fd, bytes));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'EAGAIN' || waits-- <= 0) return;
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, WAIT_MS);
      }
    }
  }
  // A reader that went away must not end the app by an unhandled 'error' event.
  stream.on('error', () => {});
  // From there on the event loop turns no more: what the stream would write later is never written.
  process.prependListener('exit', () => {
    ended = true;
    // Perhaps a part of that is: what follows must not be glued to it.
    if (stream.writableLength > 0) writeNow('\n');
  });
  return {
    write(line) {
      if (ended) writeNow(line);
      else stream.write(line, written);
      return ended || stream.writableLength === 0;
    },
    onReady(callback) {
      ready = callback;
    },
  };
}
