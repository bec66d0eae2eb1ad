import { closeSync, constants, openSync, writeSync } from 'node:fs';

/** Where hearthd speaks to people. */
export interface Console {
  /** One line, `[hearth] …`. */
  say(message: string): void;
  /** One line of the app's output, `app: …`. */
  app(line: string): void;
}

/** Bytes that wait for a slow console. What comes on top is dropped and counted. */
const MAX_WAITING = 16 * 1024;
const MAX_LINE = 1_024;
/** A serial line of 115200 baud carries 11 kB/s; an app that floods it must leave room for what hearthd says. */
const APP_BYTES_PER_SECOND = 4 * 1024;
const APP_BURST = 16 * 1024;
const RETRY_MS = 20;

export interface ConsoleDevice {
  /** Writes as much as fits without waiting. Returns the number of bytes taken. */
  write(bytes: Uint8Array): number;
}

/** @param now milliseconds of a clock that never jumps */
export function createConsole(device: ConsoleDevice, now: () => number): Console {
  let waiting = Buffer.alloc(0);
  let retry: NodeJS.Timeout | undefined;
  let lost = 0;
  let budget = APP_BURST;
  let filled = now();
  let silenced = 0;

  function flush(): void {
    retry = undefined;
    while (waiting.length > 0) {
      const taken = device.write(waiting);
      if (taken === 0) {
        retry = setTimeout(flush, RETRY_MS);
        retry.unref();
        return;
      }
      waiting = waiting.subarray(taken);
    }
    if (lost > 0) {
      const count = lost;
      lost = 0;
      put(`[hearth] the console was too slow: ${count} lines lost`);
    }
  }

  function put(line: string): void {
    const bytes = Buffer.from(`${printable(line)}\n`);
    if (waiting.length + bytes.length > MAX_WAITING) {
      lost++;
      return;
    }
    waiting = Buffer.concat([waiting, bytes]);
    if (retry === undefined) flush();
  }

  return {
    say: (message) => put(`[hearth] ${message}`),
    app(line) {
      const time = now();
      budget = Math.min(APP_BURST, budget + ((time - filled) / 1000) * APP_BYTES_PER_SECOND);
      filled = time;
      const text = `app: ${line}`;
      const cost = Math.min(text.length, MAX_LINE);
      if (cost > budget) {
        silenced++;
        return;
      }
      if (silenced > 0) {
        put(`[hearth] the app wrote too fast: ${silenced} lines left out`);
        silenced = 0;
      }
      budget -= cost;
      put(text);
    },
  };
}

/** Binary output would reprogram the terminal that shows it. */
function printable(line: string): string {
  const cut = line.length > MAX_LINE ? `${line.slice(0, MAX_LINE - 1)}…` : line;
  return cut.replace(/[\p{Cc}\p{Zl}\p{Zp}]/gu, (c) => (c === '\t' ? c : '·'));
}

/**
 * The system console. Opened for every write: after a hang-up of the line (a USB serial adapter pulled) an old
 * descriptor would fail for ever. Without blocking: flow control on the other side must not stop hearthd.
 */
export function systemConsole(path = '/dev/console'): ConsoleDevice {
  return {
    write(bytes) {
      let fd: number;
      try {
        fd = openSync(
          path,
          constants.O_WRONLY | constants.O_APPEND | constants.O_NONBLOCK | constants.O_NOCTTY,
        );
      } catch {
        // No console at all (ENODEV): swallow the bytes rather than keep them for ever.
        return bytes.length;
      }
      try {
        return writeSync(fd, bytes);
      } catch (error) {
        return (error as NodeJS.ErrnoException).code === 'EAGAIN' ? 0 : bytes.length;
      } finally {
        closeSync(fd);
      }
    },
  };
}

export const silentConsole: ConsoleDevice = { write: (bytes) => bytes.length };
