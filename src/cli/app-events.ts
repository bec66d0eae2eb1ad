import type { AppState } from '../device/app/runner.ts';
import type { FwError } from '../errors.ts';
import { describeError } from './error-text.ts';
import { type Output, silent, terminalOutput } from './output.ts';
import { type CommonOptions, printJson } from './verb.ts';

/** What `fw start` and `fw dev` tell of an app that runs until Ctrl-C. */
export interface AppEvents {
  out: Output;
  /** One line of JSON, where that was asked for. */
  event(name: string, rest: object): void;
  /** What both tell in the same way. */
  listeners: {
    onOutput(line: string): void;
    onReport(message: string): void;
    onState(state: AppState): void;
    onBroken(error: FwError): void;
  };
}

export function appEvents({ json = false, verbose = false }: CommonOptions): AppEvents {
  const out = json ? silent : terminalOutput();
  const event = (name: string, rest: object): void => {
    if (json) printJson({ event: name, ...rest });
  };
  return {
    out,
    event,
    listeners: {
      onOutput: (line) => (json ? event('output', { line }) : process.stdout.write(`${line}\n`)),
      onReport(message) {
        out.warn(message);
        event('report', { message });
      },
      onState(state) {
        if (state.name === 'failed') out.warn('the app is failed: it runs again when a source file changes');
        event('state', state);
      },
      onBroken(error) {
        out.line(describeError(error, { stream: process.stderr, verbose }));
        event('broken', { code: error.code, message: error.message });
      },
    },
  };
}
