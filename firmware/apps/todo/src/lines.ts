import type { FileHandle } from 'node:fs/promises';

export interface Line {
  /** Where it begins, and the byte after its newline. */
  start: number;
  end: number;
  /** Without the newline; undefined when the file ends within the line, or it is longer than any line of ours. */
  text: string | undefined;
}

const NEWLINE = 0x0a;
const CHUNK = 64 * 1024;
/** A title of 500 characters and a list of 100 have at most 6 bytes each in JSON. */
const LONGEST = 8 * 1024;

/** The lines of a file, or of a piece of it, in bounded memory whatever is in it. */
export async function* readLines(file: FileHandle, from = 0, to = Infinity): AsyncGenerator<Line> {
  let start = from;
  let at = from;
  /** What there is of the line that begins at `start`, as far as it may be one. */
  let begun = Buffer.alloc(0);
  while (at < to) {
    const { bytesRead, buffer } = await file.read(Buffer.allocUnsafe(Math.min(CHUNK, to - at)), {
      position: at,
    });
    if (bytesRead === 0) break;
    const chunk = buffer.subarray(0, bytesRead);
    let used = 0;
    for (let newline = chunk.indexOf(NEWLINE); newline >= 0; newline = chunk.indexOf(NEWLINE, used)) {
      const end = at + newline + 1;
      const bytes = chunk.subarray(used, newline);
      const text =
        end - start > LONGEST
          ? undefined
          : (begun.length > 0 ? Buffer.concat([begun, bytes]) : bytes).toString();
      yield { start, end, text };
      begun = Buffer.alloc(0);
      start = end;
      used = newline + 1;
    }
    at += bytesRead;
    if (at - start <= LONGEST) begun = Buffer.concat([begun, chunk.subarray(used)]);
  }
  if (at > start) yield { start, end: at, text: undefined };
}
