import { inspect } from 'node:util';

const SHOWN = '[secret]';

/** A value that must not be seen: every way of turning it into text, JSON or a log line gives `[secret]`. */
export class Secret {
  // Not a property that a walk over the object could find, nor one that a debugger's inspect() prints.
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  /** The value itself, for the one place that needs it. */
  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return SHOWN;
  }

  toJSON(): string {
    return SHOWN;
  }

  [Symbol.toPrimitive](): string {
    return SHOWN;
  }

  [inspect.custom](): string {
    return SHOWN;
  }
}
