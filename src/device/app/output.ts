import type { Readable } from 'node:stream';
import { splitLines } from './lines.ts';

/** The newest lines of the app, for the report when it fails. */
const TAIL_LINES = 40;
const TAIL_LINE_LENGTH = 1_000;

/** Reading is capped, so that an app that floods its output costs itself time and not hearthd (R4). */
const SLICE_MS = 100;
const BYTES_PER_SLICE = 256 * 1024;

export interface Output {
  /** The newest lines of stderr, oldest first. */
  tail(): readonly string[];
}

/** Reads both streams of the app, line by line. */
export function readOutput(stdout: Readable, stderr: Readable, onLine: (line: string) => void): Output {
  const tail: string[] = [];
  read(stdout, onLine);
  read(stderr, (line) => {
    tail.push(line.slice(0, TAIL_LINE_LENGTH));
    if (tail.length > TAIL_LINES) tail.shift();
    onLine(line);
  });
  return { tail: () => tail };
}

function read(stream: Readable, onLine: (line: string) => void): void {
  const lines = splitLines(onLine);
  let sliceStart = performance.now();
  let left = BYTES_PER_SLICE;
  stream.setEncoding('utf8');
  stream.on('data', (text: string) => {
    const now = performance.now();
    if (now - sliceStart > SLICE_MS) {
      sliceStart = now;
      left = BYTES_PER_SLICE;
    }
    left -= text.length;
    lines.push(text);
    if (left > 0) return;
    stream.pause();
    setTimeout(() => stream.resume(), SLICE_MS);
  });
  stream.on('end', () => lines.end());
  // A pipe that breaks ends with the process, which is reported on its own.
  stream.on('error', () => {});
}
