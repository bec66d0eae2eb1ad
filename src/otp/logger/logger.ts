import { currentProcess, type Process } from '../process/process.ts';
import { jsonFormatter, textFormatter } from './format.ts';
import { type Level, ModuleLevels, type Rank, rankOf, type Threshold } from './level.ts';
import { type Backend, type BackendOptions, Outlet } from './outlet.ts';
import { plain, reasonOf } from './plain.ts';
import type { Fields, LogRecord, Message } from './record.ts';

/** Makes records. No method ever throws, whatever it is given, and each record becomes one line in every backend. */
export interface Logger {
  debug(message: Message, fields?: Fields): void;
  info(message: Message, fields?: Fields): void;
  notice(message: Message, fields?: Fields): void;
  warning(message: Message, fields?: Fields): void;
  error(message: Message, fields?: Fields): void;
  critical(message: Message, fields?: Fields): void;
  /** A logger whose records also carry these fields; a call's own come after them, and take their place. */
  with(fields: Fields): Logger;
  /** A logger for a part of the program, whose level can be set on its own: `net`, and below it `net.http`. */
  module(name: string): Logger;
  /** Whether records of this level are written now: for work that only a record needs. */
  isOn(level: Level): boolean;
}

/** What stands behind the loggers: levels, backends, and the fields of processes. */
export class Logging {
  /** The logger of no module. */
  readonly logger: Logger;
  readonly #levels: ModuleLevels;
  readonly #outlets = new Map<string, Outlet>();
  readonly #fieldsOfProcess = new WeakMap<Process, Fields>();
  readonly #now: () => number;
  readonly #lastResort: (line: string) => void;

  /** @param lastResort takes the line that no backend could */
  constructor(
    level: Level | 'none',
    now: () => number = Date.now,
    lastResort: (line: string) => void = () => {},
  ) {
    this.#levels = new ModuleLevels(level);
    this.#now = now;
    this.#lastResort = lastResort;
    this.logger = new ModuleLogger(this, '', this.#levels.threshold(''), undefined);
  }

  /** The lowest level of everything that has none of its own: `setLevel('notice')`; of one module: `setLevel('net', 'debug')`. */
  setLevel(level: Level | 'none'): void;
  setLevel(module: string, level: Level | 'none'): void;
  setLevel(first: string, second?: Level | 'none'): void {
    if (second === undefined) this.#levels.set('', first as Level | 'none');
    else this.#levels.set(first, second);
  }

  /** The module takes the level of what is above it again. */
  resetLevel(module: string): void {
    this.#levels.reset(module);
  }

  /** Records go there too from now on. One of the same name is closed and replaced. */
  addBackend(name: string, backend: Backend, options: BackendOptions = {}): void {
    this.removeBackend(name);
    this.#outlets.set(name, new Outlet(backend, options));
  }

  /** Writes what waits there, and closes it. `console` is the one that writes to standard error. */
  removeBackend(name: string): void {
    const outlet = this.#outlets.get(name);
    this.#outlets.delete(name);
    outlet?.close();
  }

  backends(): string[] {
    return [...this.#outlets.keys()];
  }

  /** Fields for all records that the handlers of the process at work write until it ends; after an `await`, use `logger.with`. */
  setProcessFields(fields: Fields): void {
    const process = currentProcess();
    if (process) this.#fieldsOfProcess.set(process, fields);
  }

  /** Writes all that waits in queues and buffers, without waiting for anything. Done at the end of the process, too. */
  flush(): void {
    for (const outlet of this.#outlets.values()) outlet.flush();
  }

  threshold(module: string): Threshold {
    return this.#levels.threshold(module);
  }

  /** For the loggers. */
  write(level: Level, rank: Rank, module: string, message: Message, own?: Fields, call?: Fields): void {
    try {
      const process = currentProcess();
      const ofProcess = process && this.#fieldsOfProcess.get(process);
      const record: LogRecord = {
        time: this.#now(),
        level,
        message: textOf(message),
        module,
        process: process?.toString(),
        fields: merged(ofProcess, own, call),
      };
      let taken = this.#outlets.size === 0;
      for (const outlet of this.#outlets.values()) taken = outlet.accept(record, rank) || taken;
      if (!taken) this.#lastResort(textFormatter(record));
    } catch {
      // Nothing is left to complain to: standard error itself is closed or full.
    }
  }
}

class ModuleLogger implements Logger {
  readonly #logging: Logging;
  readonly #module: string;
  readonly #threshold: Threshold;
  readonly #fields: Fields | undefined;

  constructor(logging: Logging, module: string, threshold: Threshold, fields: Fields | undefined) {
    this.#logging = logging;
    this.#module = module;
    this.#threshold = threshold;
    this.#fields = fields;
  }

  debug = (message: Message, fields?: Fields): void => this.#log('debug', 0, message, fields);
  info = (message: Message, fields?: Fields): void => this.#log('info', 1, message, fields);
  notice = (message: Message, fields?: Fields): void => this.#log('notice', 2, message, fields);
  warning = (message: Message, fields?: Fields): void => this.#log('warning', 3, message, fields);
  error = (message: Message, fields?: Fields): void => this.#log('error', 4, message, fields);
  critical = (message: Message, fields?: Fields): void => this.#log('critical', 5, message, fields);

  with(fields: Fields): Logger {
    return new ModuleLogger(this.#logging, this.#module, this.#threshold, merged(this.#fields, fields));
  }

  module(name: string): Logger {
    const full = this.#module === '' ? String(name) : `${this.#module}.${String(name)}`;
    return new ModuleLogger(this.#logging, full, this.#logging.threshold(full), this.#fields);
  }

  isOn(level: Level): boolean {
    return rankOf(level) >= this.#threshold.lowest;
  }

  #log(level: Level, rank: Rank, message: Message, fields: Fields | undefined): void {
    if (rank < this.#threshold.lowest) return;
    this.#logging.write(level, rank, this.#module, message, this.#fields, fields);
  }
}

function textOf(message: Message): string {
  try {
    const text: unknown = typeof message === 'function' ? message() : message;
    if (!isLong(text)) return String(text);
    const short = plain(text);
    return typeof short === 'string' ? short : JSON.stringify(short);
  } catch (error) {
    return `(the message itself failed: ${reasonOf(error)})`;
  }
}

/** Written out, it might take seconds and all memory; a line has room for its beginning. */
function isLong(value: unknown): boolean {
  return typeof value === 'bigint' || Array.isArray(value) || ArrayBuffer.isView(value);
}

/** All of them, the later ones first in right. Copying reads every field, and a hostile one throws. */
function merged(...all: (Fields | undefined)[]): Fields | undefined {
  const given = all.filter((fields) => fields !== undefined);
  if (given.length < 2) return given[0];
  try {
    return Object.assign({}, ...given.map(named));
  } catch {
    return Object.assign({}, ...given.map((fields) => named(plain(fields))));
  }
}

/** What is not fields becomes the value of one: a text has as many properties as characters. */
function named(fields: unknown): unknown {
  return typeof fields !== 'object' || isLong(fields) ? { fields } : fields;
}

export interface LoggerOptions {
  /** Records below it are dropped. */
  level: Level;
  format: 'text' | 'json';
  write(line: string): void;
  /** For the time stamp of JSON records. */
  now(): Date;
}

/** A logger with one backend, apart from all others. */
export function createLogger(options: LoggerOptions): Logger {
  const logging = new Logging(options.level, () => options.now().getTime());
  logging.addBackend(
    'only',
    { write: (line) => options.write(line) },
    { format: options.format === 'json' ? jsonFormatter : textFormatter },
  );
  return logging.logger;
}
