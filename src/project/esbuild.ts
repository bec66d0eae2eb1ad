import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { BuildFailure } from 'esbuild';
import { FwError } from '../errors.ts';

/** A module of this toolkit, in a checkout (.ts) or in the npm package (.js). */
export function toolkitModule(path: string): string {
  const source = new URL(`../${path}.ts`, import.meta.url);
  return fileURLToPath(existsSync(source) ? source : new URL(`../${path}.js`, import.meta.url));
}

/** A project's imports of hearthfw always get the toolkit that is running, so that both halves agree. */
export function toolkitAlias(): Record<string, string> {
  return {
    hearthfw: toolkitModule('otp/index'),
    'hearthfw/config': toolkitModule('project/define'),
  };
}

/** esbuild's complaint as one of ours: file:line:column and the message of each error. */
export function esbuildError(error: unknown, code: string, what: string, remedy: string): unknown {
  const failure = error as Partial<BuildFailure>;
  if (!failure.errors?.length) return error;
  const lines = failure.errors.map(({ text, location }) =>
    location
      ? `${location.file}:${location.line}:${location.column + 1}: ${text}\n    ${location.lineText.trim()}`
      : text,
  );
  const first = failure.errors[0]?.location;
  return new FwError(code, `${what}:\n  ${lines.join('\n  ')}`, {
    ...(first ? { where: `${first.file}:${first.line}:${first.column + 1}` } : {}),
    remedy,
    cause: error,
  });
}
