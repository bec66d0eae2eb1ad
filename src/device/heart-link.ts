import { Socket } from 'node:net';

/** Erlang's heart protocol: a 2-byte big-endian length, then the operation. */
const BEAT = Uint8Array.of(0, 1, 2);
const SHUT_DOWN = Uint8Array.of(0, 1, 3);

/** Beats per timeout. heart kills after a whole timeout without one, so four may be lost or late. */
const BEATS_PER_TIMEOUT = 5;

export interface HeartLink {
  /** Tells heart that the end to come is meant: it starts nobody again. Resolves when that is on its way. */
  shutDown(): Promise<void>;
  close(): void;
}

/**
 * Tells heart that hearthd's event loop turns. The beat comes from a plain timer of the main loop and from nowhere
 * else: a thread, a child or a promise chain of its own would go on beating for a hearthd that hangs.
 *
 * @param fd heart's end of the socket pair, from HEART_FD
 * @param timeoutSeconds from HEART_BEAT_TIMEOUT
 */
export function connectHeart(fd: number, timeoutSeconds: number, onLost: (why: string) => void): HeartLink {
  const socket = new Socket({ fd, readable: true, writable: true });
  const beat = (): void => {
    // A heart that does not read (stopped in a debugger) must not grow this buffer for hours.
    if (socket.writableLength < 1024) socket.write(BEAT);
  };
  socket.on('error', (error) => onLost(error.message));
  socket.on('close', () => {
    clearInterval(timer);
    onLost('closed');
  });
  // heart's ACK and the answers of operations that hearthd does not use.
  socket.resume();
  const timer = setInterval(beat, (timeoutSeconds * 1000) / BEATS_PER_TIMEOUT);
  beat();
  return {
    shutDown: () => new Promise((resolve) => socket.write(SHUT_DOWN, () => resolve())),
    close() {
      clearInterval(timer);
      socket.removeAllListeners('close');
      socket.destroy();
    },
  };
}
