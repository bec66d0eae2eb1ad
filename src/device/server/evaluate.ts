import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

/** An expression, or a file, in a Node of its own that has the app's environment. Returns the exit status. */
export function evaluate(text: string, environment: NodeJS.ProcessEnv): number {
  const args = existsSync(text) ? [text] : ['--print', text];
  const { status, error } = spawnSync(process.execPath, [...process.execArgv, ...args], {
    stdio: 'inherit',
    env: environment,
  });
  if (error) throw error;
  return status ?? 1;
}
