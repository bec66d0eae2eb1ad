import { plain } from './plain.ts';

/** From the least to the most urgent; the names are those of OTP and syslog. */
export const LEVELS = ['debug', 'info', 'notice', 'warning', 'error', 'critical'] as const;
export type Level = (typeof LEVELS)[number];

/** A text, or a function that makes it, called only when the level is on. */
export type Message = string | (() => string);
export type Fields = Record<string, unknown>;

/** Writes one line a record to stderr. No method ever throws, whatever it is given. */
export interface Logger {
  debug(message: Message, fields?: Fields): void;
  info(message: Message, fields?: Fields): void;
  notice(message: Message, fields?: Fields): void;
  warning(message: Message, fields?: Fields): void;
  error(message: Message, fields?: Fields): void;
  critical(message: Message, fields?: Fields): void;
}

/** Characters. Longer records are cut: a line must not fill a console or a log that is kept in memory. */
export const MAX_LINE_LENGTH = 8_192;

/** JSON may need six characters for one. */
const MAX_JSON_MESSAGE = MAX_LINE_LENGTH / 8;

export interface LoggerOptions {
  /** Records below it are dropped. */
  level: Level;
  format: 'text' | 'json';
  write(line: string): void;
  /** For the time stamp of JSON records. Text has none: hearthd and terminals add their own. */
  now(): Date;
}

export function createLogger(options: LoggerOptions): Logger {
  const lowest = LEVELS.indexOf(options.level);
  const at = (level: Level) => (message: Message, fields?: Fields) => {
    if (LEVELS.indexOf(level) < lowest) return;
    try {
      const text = messageText(message);
      options.write(
        options.format === 'json'
          ? jsonLine(options.now(), level, text, fields)
          : textLine(level, text, fields),
      );
    } catch {
      // Nothing is left to complain to: stderr itself is closed or full.
    }
  };
  return {
    debug: at('debug'),
    info: at('info'),
    notice: at('notice'),
    warning: at('warning'),
    error: at('error'),
    critical: at('critical'),
  };
}

function messageText(message: Message): string {
  try {
    return String(typeof message === 'function' ? message() : message);
  } catch (error) {
    return `(the message itself failed: ${stringOf(plain(error))})`;
  }
}

function textLine(level: Level, message: string, fields: Fields | undefined): string {
  let line = `${level}: ${message}`;
  const values = plain(fields ?? {});
  if (typeof values === 'object' && values !== null) {
    for (const [key, value] of Object.entries(values)) line += ` ${key}=${stringOf(value)}`;
  } else {
    line += ` ${stringOf(values)}`;
  }
  return `${cut(oneLine(line), MAX_LINE_LENGTH)}\n`;
}

function jsonLine(now: Date, level: Level, message: string, fields: Fields | undefined): string {
  const head = { time: now.toISOString(), level, message: cut(message, MAX_JSON_MESSAGE) };
  const whole = JSON.stringify(fields === undefined ? head : { ...head, fields: plain(fields) });
  // Cutting JSON in the middle would break its reader: what does not fit goes as a whole.
  if (whole.length <= MAX_LINE_LENGTH) return `${whole}\n`;
  return `${JSON.stringify({ ...head, omitted: `fields of ${whole.length} characters` })}\n`;
}

function stringOf(value: unknown): string {
  if (typeof value === 'string' && /^[^\s"=]+$/.test(value)) return value;
  return JSON.stringify(value) ?? 'undefined';
}

/** Control characters would break the line, or drive the terminal that shows it. */
function oneLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Zl}\p{Zp}]/gu, (c) => {
    if (c === '\n') return '\\n';
    return `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`;
  });
}

function cut(text: string, length: number): string {
  return text.length <= length ? text : `${text.slice(0, length - 1)}…`;
}

function levelFrom(env: string | undefined): Level {
  return LEVELS.find((level) => level === env) ?? 'info';
}

/** `HEARTH_LOG_LEVEL` sets the lowest level (default `info`), `HEARTH_LOG=json` the format. */
export const logger: Logger = createLogger({
  level: levelFrom(process.env.HEARTH_LOG_LEVEL),
  format: process.env.HEARTH_LOG === 'json' ? 'json' : 'text',
  write: (line) => {
    process.stderr.write(line);
  },
  now: () => new Date(),
});
// A reader that went away must not end the app by an unhandled 'error' event.
process.stderr.on('error', () => {});
