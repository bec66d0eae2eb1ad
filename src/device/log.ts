import { type Formatter, logger, logging, textFormatter } from '../otp/index.ts';

/** The message as it is, and its fields, for people: which service says it, they see by what it says. */
const bare: Formatter = (record) => {
  const line = textFormatter({ ...record, module: '', process: undefined });
  return line.slice(record.level.length + ': '.length, -1);
};

/** What hearthd's services log goes to the console from now on, and nowhere else. */
export function logTo(say: (message: string) => void): void {
  logging.addBackend('console', { write: say }, { format: bare });
}

/** What a service says to people. */
export function speaker(module: string): (message: string) => void {
  const log = logger.module(module);
  return (message) => log.notice(message);
}
