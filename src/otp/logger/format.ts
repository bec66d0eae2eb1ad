import { plain } from './plain.ts';
import type { Fields, Formatter } from './record.ts';

/** Characters. Longer records are cut: a line must not fill a console or a log that is kept in memory. */
export const MAX_LINE_LENGTH = 8_192;

/** JSON may need six characters for one. */
const MAX_JSON_MESSAGE = MAX_LINE_LENGTH / 8;

/** `warning: door open room=7 module=net`. No time stamp: hearthd and terminals add their own. */
export const textFormatter: Formatter = (record) => {
  let line = `${record.level}: ${cut(record.message, MAX_LINE_LENGTH)}`;
  for (const [key, value] of Object.entries(fieldsOf(record.fields))) line += ` ${key}=${wordOf(value)}`;
  if (record.module !== '') line += ` module=${wordOf(record.module)}`;
  if (record.process !== undefined) line += ` process=${wordOf(record.process)}`;
  return `${cut(oneLine(cut(line, MAX_LINE_LENGTH)), MAX_LINE_LENGTH)}\n`;
};

/** With the time in front, for files that people read. */
export const timedTextFormatter: Formatter = (record) =>
  `${cut(`${timeOf(record.time)} ${textFormatter(record).slice(0, -1)}`, MAX_LINE_LENGTH)}\n`;

/** One JSON object a line: `time` (ISO 8601), `level`, `message`, and where there are any `module`, `process`, `fields`. */
export const jsonFormatter: Formatter = (record) => {
  const head = {
    time: timeOf(record.time),
    level: record.level,
    message: cut(record.message, MAX_JSON_MESSAGE),
    ...(record.module === '' ? {} : { module: cut(record.module, 200) }),
    ...(record.process === undefined ? {} : { process: cut(record.process, 200) }),
  };
  const whole = JSON.stringify(record.fields ? { ...head, fields: plain(record.fields) } : head);
  // Cutting JSON in the middle would break its reader: what does not fit goes as a whole.
  if (whole.length <= MAX_LINE_LENGTH) return `${whole}\n`;
  return `${JSON.stringify({ ...head, omitted: `fields of ${whole.length} characters` })}\n`;
};

function fieldsOf(fields: Fields | undefined): object {
  if (fields === undefined) return {};
  const values = plain(fields);
  return typeof values === 'object' && values !== null ? values : { fields: values };
}

/** A clock that was never set, or is far off, must not cost the record. */
function timeOf(time: number): string {
  const date = new Date(time);
  return Number.isNaN(date.getTime()) ? 'no time' : date.toISOString();
}

function wordOf(value: unknown): string {
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
