import { existsSync, statSync } from 'node:fs';
import { join, relative, resolve } from 'node:path';
import { build } from 'esbuild';
import type * as z from 'zod';
import { FwError } from '../errors.ts';
import { esbuildError, toolkitAlias } from './esbuild.ts';
import { nearest } from './nearest.ts';
import { appSchema, configSchema, type ResolvedConfig } from './schema.ts';
import { parseSize } from './size.ts';

export interface Project {
  /** The project's folder, absolute. */
  dir: string;
  configFile: string;
  config: ResolvedConfig;
}

export const CONFIG_FILE = 'fw.config.ts';

/** Loads and checks a project's fw.config.ts. Every mistake in it is an error that names file, field and remedy. */
export async function loadProject(dir: string): Promise<Project> {
  const root = resolve(dir);
  const configFile = join(root, CONFIG_FILE);
  if (!existsSync(configFile)) {
    throw new FwError('no-config', `there is no ${CONFIG_FILE} in ${root}`, {
      where: root,
      expected: `a Hearth project: a folder with ${CONFIG_FILE}`,
      remedy: 'Run fw in the project’s folder, or name it with --app DIR.',
    });
  }
  const config = resolveConfig(await evaluate(configFile), configFile);
  const entry = resolve(root, config.app.entry);
  if (!statSync(entry, { throwIfNoEntry: false })?.isFile()) {
    throw new FwError('entry-missing', `the app's entry ${config.app.entry} is not there, or not a file`, {
      where: `${configFile}: app`,
      expected: `a module at ${entry}`,
      remedy: 'Create it, or correct the field `app`.',
    });
  }
  return { dir: root, configFile, config };
}

/** The config's default export. It is bundled first, so that it may import, and so that syntax errors have a place. */
async function evaluate(file: string): Promise<unknown> {
  const result = await build({
    entryPoints: [file],
    bundle: true,
    write: false,
    platform: 'node',
    format: 'esm',
    target: 'node24',
    logLevel: 'silent',
    sourcemap: 'inline',
    alias: toolkitAlias(),
  }).catch((error: unknown) => {
    throw esbuildError(error, 'config-syntax', `${CONFIG_FILE} cannot be read`, 'Correct the file.');
  });
  const code = result.outputFiles[0]?.text ?? '';
  let module: { default?: unknown };
  try {
    module = (await import(
      `data:text/javascript;base64,${Buffer.from(code).toString('base64')}`
    )) as typeof module;
  } catch (cause) {
    throw new FwError(
      'config-threw',
      `${CONFIG_FILE} threw while it was loaded: ${cause instanceof Error ? cause.message : String(cause)}`,
      {
        where: file,
        remedy: 'Correct the file: it is run by fw on this machine, and must only export a configuration.',
        cause,
      },
    );
  }
  if (module.default !== undefined) return module.default;
  throw new FwError('config-no-default', `${CONFIG_FILE} has no default export`, {
    where: file,
    expected: 'export default defineFirmware({ … })',
    remedy: 'Export the configuration as the default.',
  });
}

/** Validates a configuration and fills in what it leaves out. */
export function resolveConfig(value: unknown, file: string): ResolvedConfig {
  const parsed = configSchema.safeParse(value);
  if (!parsed.success) throw invalid(parsed.error, value, file);
  const { app, dataSize, ...rest } = parsed.data;
  if (rest.console === 'shell' && !rest.dev) {
    throw new FwError('shell-in-production', "console: 'shell' puts a root shell on a serial port", {
      where: `${file}: console`,
      expected: "a development firmware (dev: true), or console: 'log' or 'none'",
      remedy: "Set dev: true while developing; ship with console: 'log' or 'none'.",
    });
  }
  return {
    ...rest,
    app: typeof app === 'string' ? appSchema.parse({ entry: app }) : app,
    dataSize: typeof dataSize === 'number' ? dataSize : (parseSize(dataSize) ?? 0),
  };
}

function invalid(error: z.ZodError, value: unknown, file: string): FwError {
  const lines = error.issues.flatMap((issue) => describe(issue, value));
  const [first] = lines;
  const near = relative(process.cwd(), file);
  return new FwError(
    'config-invalid',
    `${CONFIG_FILE} is not valid:\n  ${lines.map((line) => line.text).join('\n  ')}`,
    {
      where: `${file}: ${first?.path ?? ''}`,
      expected: 'the fields that docs/config.md lists',
      remedy: first?.remedy ?? `Correct the field in ${near.startsWith('..') ? file : near}.`,
    },
  );
}

interface Line {
  path: string;
  text: string;
  remedy?: string;
}

function describe(issue: z.core.$ZodIssue, value: unknown): Line[] {
  const path = issue.path.join('.') || 'the configuration';
  if (issue.code === 'unrecognized_keys') return issue.keys.map((key) => unknownKey(issue.path, key));
  if (issue.code === 'invalid_union') {
    // A path or an object, say: the mistakes inside the alternative that was meant are what helps.
    const meant = issue.errors.find(([one]) => one && (one.code !== 'invalid_type' || one.path.length > 0));
    const inner = meant?.map((one) => ({ ...one, path: [...issue.path, ...one.path] }) as z.core.$ZodIssue);
    if (inner) return inner.flatMap((one) => describe(one, value));
  }
  return [{ path, text: `${path}: ${reason(issue, value)}` }];
}

function reason(issue: z.core.$ZodIssue, value: unknown): string {
  if (issue.code === 'invalid_type' && valueAt(value, issue.path) === undefined)
    return `is missing (expected: ${issue.expected})`;
  if (issue.code === 'invalid_key') return issue.issues[0]?.message ?? issue.message;
  return issue.message;
}

function unknownKey(path: readonly PropertyKey[], key: string): Line {
  const known = knownKeys(path);
  const guess = nearest(key, known);
  const where = [...path, key].join('.');
  return {
    path: where,
    text: `${where}: there is no such field${guess ? `; did you mean '${guess}'?` : ''}`,
    remedy: guess ? `Rename '${key}' to '${guess}'.` : `Remove it. Fields: ${known.join(', ')}.`,
  };
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>(
    (at, key) => (at as Record<PropertyKey, unknown> | null | undefined)?.[key],
    value,
  );
}

/** The names of the fields at a place in the configuration. */
function knownKeys(path: readonly PropertyKey[]): string[] {
  let schema: unknown = configSchema;
  for (const key of path) {
    schema = field(unwrap(schema), key);
  }
  const shape = (unwrap(schema) as { shape?: Record<string, unknown> } | undefined)?.shape;
  return Object.keys(shape ?? {});
}

function field(schema: unknown, key: PropertyKey): unknown {
  return (schema as { shape?: Record<PropertyKey, unknown> } | undefined)?.shape?.[key];
}

/** Through defaults, optionals and unions to the object inside. */
function unwrap(schema: unknown): unknown {
  const inner = schema as { def?: { innerType?: unknown; options?: unknown[] } } | undefined;
  if (inner?.def?.innerType) return unwrap(inner.def.innerType);
  if (inner?.def?.options)
    return inner.def.options.map(unwrap).find((option) => (option as { shape?: unknown }).shape);
  return schema;
}
