import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { npmProgram } from '../../../bin/pinned-node.js';
import { type Finding, note, ok, problem } from './finding.ts';
import type { Host } from './host.ts';
import { howToInstall } from './install.ts';

/** Runs npm; what it prints. Rejects with what it says against it. */
export type Npm = (args: string[]) => Promise<string>;

const VERSION_MS = 30_000;
const PING_MS = 20_000;

/**
 * npm fetches Node for a system, with the user's own settings.
 * @param needed whether a build would need it
 * @param online also asks whether the configured registry answers
 */
export async function checkNpm(
  host: Host,
  needed: boolean,
  online: boolean,
  npm: Npm = runNpm,
): Promise<Finding> {
  const failed = (text: string, remedy: string): Finding =>
    needed
      ? problem('npm', 'fw build', text, remedy)
      : note('npm', `${text}; nothing has to be fetched now`, remedy);
  let version: string;
  try {
    version = (await npm(['--version'])).trim();
  } catch (error) {
    return failed(`npm does not run: ${firstLine(error)}`, howToInstall('npm', host));
  }
  if (!online) return ok('npm', version);
  try {
    await npm([
      'ping',
      '--loglevel=error',
      '--logs-max=0',
      '--fetch-retries=0',
      `--fetch-timeout=${PING_MS}`,
    ]);
    return ok('npm', `${version}; the registry that it is set to answers`);
  } catch (error) {
    return failed(
      `the registry that npm is set to does not answer: ${firstLine(error)}`,
      'Check the network, and npm’s settings for registry and proxy: npm config list',
    );
  }
}

/** What npm prints before and after the sentence that says what is wrong. */
const FIELD = /^(code|syscall|errno|network|A complete log)\b/;

async function runNpm(args: string[]): Promise<string> {
  const timeout = args[0] === 'ping' ? PING_MS + VERSION_MS : VERSION_MS;
  try {
    // The one that a build would start.
    const { program, before } = npmProgram();
    return (await promisify(execFile)(program, [...before, ...args], { timeout })).stdout;
  } catch (error) {
    const { stderr, message } = error as { stderr?: string; message: string };
    const said = stderr?.split('\n').filter((line) => /^npm (error|ERR!) /.test(line)) ?? [];
    const cause = said.map((line) => line.replace(/^npm \S+ /, '')).find((line) => !FIELD.test(line));
    throw new Error(cause ?? message);
  }
}

function firstLine(error: unknown): string {
  return (error as Error).message.split('\n', 1)[0] ?? '';
}
