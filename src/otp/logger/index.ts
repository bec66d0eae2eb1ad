import { consoleBackend } from './console.ts';
import { jsonFormatter, textFormatter } from './format.ts';
import { parseLevels } from './level.ts';
import { type Logger, Logging } from './logger.ts';

export { consoleBackend } from './console.ts';
export { type FileBackendOptions, fileBackend } from './file-backend.ts';
export { jsonFormatter, MAX_LINE_LENGTH, textFormatter, timedTextFormatter } from './format.ts';
export { LEVELS, type Level } from './level.ts';
export { createLogger, type Logger, type LoggerOptions, type Logging } from './logger.ts';
export type { Backend, BackendOptions } from './outlet.ts';
export type { Fields, Formatter, LogRecord, Message } from './record.ts';
export { logReports } from './reports.ts';
export { type RingBackend, ringBackend } from './ring-backend.ts';

const levels = parseLevels(process.env.HEARTH_LOG_LEVEL);

/**
 * The levels and backends of `logger`. `HEARTH_LOG_LEVEL` sets the lowest levels (`info`; `warning,net=debug`), `HEARTH_LOG=json`
 * the format of the one backend that is there from the start, `console`: standard error.
 */
export const logging: Logging = new Logging(levels.all, Date.now, (line) => process.stderr.write(line));
for (const [module, level] of levels.modules) logging.setLevel(module, level);
logging.addBackend('console', consoleBackend(), {
  format: process.env.HEARTH_LOG === 'json' ? jsonFormatter : textFormatter,
});
process.on('exit', () => logging.flush());

export const logger: Logger = logging.logger;
