const CTRL_A = 0x01;

/** What a user typed at an attached console. */
export interface Typed {
  /** For the guest. */
  bytes: Uint8Array;
  command: 'quit' | 'help' | undefined;
}

/**
 * Picks QEMU's escape keys out of what is typed: Ctrl-A X quits, Ctrl-A H explains, Ctrl-A Ctrl-A is one Ctrl-A for the
 * guest. Another key after Ctrl-A is dropped with it, as QEMU does. What follows a command in the same piece is dropped.
 */
export class EscapeKeys {
  #escaped = false;

  take(input: Uint8Array): Typed {
    const bytes: number[] = [];
    for (const byte of input) {
      if (!this.#escaped) {
        if (byte === CTRL_A) this.#escaped = true;
        else bytes.push(byte);
        continue;
      }
      this.#escaped = false;
      const key = String.fromCharCode(byte).toLowerCase();
      if (key === 'x') return { bytes: Uint8Array.from(bytes), command: 'quit' };
      if (key === 'h') return { bytes: Uint8Array.from(bytes), command: 'help' };
      if (byte === CTRL_A) bytes.push(byte);
    }
    return { bytes: Uint8Array.from(bytes), command: undefined };
  }
}
