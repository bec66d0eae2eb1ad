import { writeSync } from 'node:fs';
import { env } from './env.ts';
import { CONFIG_EXIT_CODE } from './exit-code.ts';
import { Variable } from './variable.ts';

/** Variables, perhaps in groups. */
export interface RuntimeSchema {
  [key: string]: Variable<unknown> | RuntimeSchema;
}

/** What a schema's variables give. */
export type RuntimeValues<S> = {
  readonly [K in keyof S]: S[K] extends Variable<infer T>
    ? T
    : S[K] extends object
      ? RuntimeValues<S[K]>
      : never;
};

/** Environment variables that are missing or malformed: all of them. */
export class RuntimeConfigError extends Error {
  readonly code = 'runtime-config';
  readonly problems: readonly string[];
  constructor(problems: readonly string[]) {
    super(`the runtime configuration is refused: ${problems.join('; ')}`);
    this.name = 'RuntimeConfigError';
    this.problems = problems;
  }
}

/** @throws RuntimeConfigError */
export function readRuntime<S extends RuntimeSchema>(
  schema: S,
  variables: Readonly<Record<string, string | undefined>>,
): RuntimeValues<S> {
  const problems: string[] = [];
  const values = read(schema, variables, problems);
  if (problems.length > 0) throw new RuntimeConfigError(problems);
  return values as RuntimeValues<S>;
}

function read(
  schema: RuntimeSchema,
  variables: Readonly<Record<string, string | undefined>>,
  problems: string[],
): Readonly<Record<string, unknown>> {
  const values: Record<string, unknown> = {};
  for (const [key, part] of Object.entries(schema)) {
    if (part instanceof Variable) {
      const parsed = part.read(variables[part.name]);
      if ('value' in parsed) values[key] = parsed.value;
      else problems.push(parsed.problem);
    } else values[key] = read(part, variables, problems);
  }
  return Object.freeze(values);
}

let current: unknown;

/**
 * The default export of a project's `config/runtime.ts`: reads the environment of this start, once, before the app. When
 * variables are missing or malformed the process ends with one line that names them all, and `CONFIG_EXIT_CODE`; in tests
 * (`env` is `test`) the error is thrown instead.
 */
export function defineRuntime<S extends RuntimeSchema>(schema: S): RuntimeValues<S> {
  try {
    const values = readRuntime(schema, process.env);
    current = values;
    return values;
  } catch (error) {
    if (!(error instanceof RuntimeConfigError) || env === 'test') throw error;
    return refuse(error);
  }
}

/**
 * What `config/runtime.ts` has given, for modules that are far from it:
 * `runtimeConfig<typeof import('../config/runtime.ts')>().port`.
 * @throws Error when it has not been read: without a build nothing but an import reads it
 */
export function runtimeConfig<M extends { default: object }>(): M['default'] {
  if (current === undefined)
    throw new Error(
      "config/runtime.ts has not been read: a firmware reads it before the app; elsewhere import it first, with `import '../config/runtime.ts'`",
    );
  return current as M['default'];
}

function refuse({ message }: RuntimeConfigError): never {
  // Control characters come from the variables' values; the line must stay one.
  const line = message.replace(/\p{Cc}/gu, ' ');
  try {
    writeSync(process.stderr.fd, `${line}\n`);
  } catch {
    // Nobody reads it; the exit code says it too.
  }
  process.exit(CONFIG_EXIT_CODE);
}
