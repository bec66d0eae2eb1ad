import { fileBackend } from '../../otp/logger/file-backend.ts';

/** Where hearthd on a server writes its lines, and the app's. */
export interface Sink {
  line(text: string): void;
  /** Writes what is kept back, before the process ends. */
  close(): void;
}

/** Sizes of the daemon's log: `HEARTH_LOG_BYTES` of one file, `HEARTH_LOG_FILES` of them. */
export function logLimits(env: NodeJS.ProcessEnv): { maxBytes: number; files: number } {
  return {
    maxBytes: positive(env.HEARTH_LOG_BYTES) ?? 10 * 1024 * 1024,
    files: positive(env.HEARTH_LOG_FILES) ?? 5,
  };
}

function positive(text: string | undefined): number | undefined {
  const value = Number(text);
  return Number.isSafeInteger(value) && value > 0 ? value : undefined;
}

/** Files that are put aside when they are full. Each line has the time before it: no journal adds one. */
export function fileSink(path: string, env: NodeJS.ProcessEnv, now: () => Date): Sink {
  const backend = fileBackend({ path, ...logLimits(env) });
  return {
    line: (text) => {
      const time = now();
      backend.write(`${time.toISOString()} ${text}\n`, {
        level: 'info',
        time: time.getTime(),
        message: text,
        module: '',
        process: undefined,
        fields: undefined,
      });
    },
    close: () => backend.close?.(),
  };
}

/** Standard output, which a journal or a person reads. Whoever stops reading does not end the app. */
export function consoleSink(): Sink {
  process.stdout.on('error', () => {});
  return { line: (text) => void process.stdout.write(`${text}\n`), close() {} };
}
