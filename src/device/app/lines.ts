/** Characters of one line that are kept; the rest of the line is dropped as it comes (R4). */
const MAX_LINE = 4_096;

export interface LineSplitter {
  push(text: string): void;
  /** The stream ended: what is there without a newline is a line too. */
  end(): void;
}

/** Cuts a stream into lines in bounded memory, whatever comes. */
export function splitLines(onLine: (line: string) => void): LineSplitter {
  let held = '';
  let dropped = 0;

  const emit = (): void => {
    const line = held.endsWith('\r') ? held.slice(0, -1) : held;
    onLine(dropped > 0 ? `${line}… (${dropped} characters more)` : line);
    held = '';
    dropped = 0;
  };
  const hold = (text: string): void => {
    const room = MAX_LINE - held.length;
    held += text.slice(0, room);
    dropped += Math.max(0, text.length - room);
  };

  return {
    push(text) {
      let from = 0;
      for (let at = text.indexOf('\n'); at >= 0; at = text.indexOf('\n', from)) {
        hold(text.slice(from, at));
        emit();
        from = at + 1;
      }
      hold(text.slice(from));
    },
    end() {
      if (held !== '' || dropped > 0) emit();
    },
  };
}
