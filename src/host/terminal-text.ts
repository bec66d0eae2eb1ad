import { StringDecoder } from 'node:string_decoder';

const ESC = '\\u001b';
/** ECMA-48: control sequences, operating system commands (ended by BEL or ST), and other escapes. */
const ESCAPES = new RegExp(
  [
    `${ESC}\\[[0-?]*[ -/]*[@-~]`,
    `${ESC}\\][^\\u0007\\u001b]*(?:\\u0007|${ESC}\\\\)`,
    `${ESC}[ -/]+[0-~]`,
    `${ESC}[0-Z\\\\^-~]`,
  ].join('|'),
  'g',
);
/** An escape sequence that may not be complete yet. */
const UNFINISHED = new RegExp(`${ESC}(?:\\[[0-?]*[ -/]*|\\][^\\u0007\\u001b]*${ESC}?|[ -/]*)$`);
/** Longer ones are no escape sequences but rubbish. */
const MAX_UNFINISHED = 4096;
/** Everything but tab and line feed. */
const CONTROL = /(?![\t\n])\p{Cc}/gu;

/**
 * Makes plain text of what is sent to a terminal, a piece at a time: UTF-8 decoded, escape sequences and control
 * characters gone, every line end (CR LF, CR CR LF, CR) a '\n'.
 */
export class TerminalText {
  readonly #decoder = new StringDecoder('utf8');
  /** The beginning of an escape sequence. */
  #escape = '';
  /** A carriage return, whose line feed may follow: with nothing but escape sequences between them, too. */
  #return = '';

  /** The text that is certain after these bytes. */
  push(bytes: Uint8Array): string {
    const text = this.#escape + this.#decoder.write(bytes);
    const unfinished = UNFINISHED.exec(text)?.[0] ?? '';
    this.#escape = unfinished.length > MAX_UNFINISHED ? '' : unfinished;
    const whole = this.#return + text.slice(0, text.length - this.#escape.length).replace(ESCAPES, '');
    this.#return = whole.endsWith('\r') ? '\r' : '';
    return whole
      .replace(/\r+$/, '')
      .replace(/\r+\n?/g, '\n')
      .replace(CONTROL, '');
  }
}
