import { writeSync } from 'node:fs';
import type { Backend } from './outlet.ts';

/** Milliseconds to wait for a reader that is slow, at the very end. */
const LAST_WORDS_WAIT_MS = 10;
const LAST_WORDS_TRIES = 20;

/**
 * Writes to standard error. When the reader does not keep up, records wait in the backend's queue instead of in the
 * stream's memory, which has no bound.
 */
export function consoleBackend(stream: NodeJS.WriteStream & { fd: number } = process.stderr): Backend {
  let ended = false;
  // A reader that went away must not end the app by an unhandled 'error' event.
  stream.on('error', () => {});
  // From there on the event loop turns no more: what the stream would write later is never written.
  process.prependListener('exit', () => {
    ended = true;
  });
  return {
    write(line) {
      if (ended) {
        writeNow(stream.fd, line);
        return true;
      }
      return stream.write(line);
    },
    onReady: (ready) => {
      stream.on('drain', ready);
    },
  };
}

function writeNow(fd: number, line: string): void {
  let bytes: Uint8Array = Buffer.from(line);
  for (let tries = 0; bytes.length > 0 && tries < LAST_WORDS_TRIES; tries++) {
    try {
      bytes = bytes.subarray(writeSync(fd, bytes));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') return;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, LAST_WORDS_WAIT_MS);
    }
  }
}
