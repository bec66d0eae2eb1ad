import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';

const MODULE = JSON.stringify(join(import.meta.dirname, 'interruptible.ts'));

const WHEN_KILLED = JSON.stringify(join(import.meta.dirname, '..', '..', 'bin', 'when-killed.js'));

/** A process whose work ends as `work` says; what it printed, and how it ended, after `signal` or by itself. */
async function ended(work: string, signal?: NodeJS.Signals): Promise<unknown> {
  const code = `
    import { once } from 'node:events';
    import { interruptible } from ${MODULE};
    import { whenKilled } from ${WHEN_KILLED};
    const awake = setInterval(() => {}, 1000);
    await interruptible(async (killed) => {
      process.stdout.write('working;');
      ${work}
    });
    process.stdout.write('after;');
    clearInterval(awake);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text) => {
    said += text;
  });
  const closed = once(child, 'close');
  await once(child.stdout, 'data');
  if (signal) child.kill(signal);
  const [status, by] = await closed;
  return { said, status, by };
}

const UNWIND = `
  await once(killed, 'abort');
  await new Promise((resolve) => setTimeout(resolve, 50));
  process.stdout.write('unwound;');`;

describe('work that is stopped in order', () => {
  test.each(['SIGINT', 'SIGTERM', 'SIGHUP'] as const)('unwinds, then %s ends the process', async (signal) => {
    expect(await ended(UNWIND, signal)).toEqual({ said: 'working;unwound;', status: null, by: signal });
  });

  test('and that throws as it unwinds is no error', async () => {
    expect(await ended(`${UNWIND} throw new Error('aborted');`, 'SIGTERM')).toEqual({
      said: 'working;unwound;',
      status: null,
      by: 'SIGTERM',
    });
  });

  test('is followed by nothing, also while others still clean up', async () => {
    const slow = 'whenKilled(() => new Promise((resolve) => setTimeout(resolve, 100)));';
    expect(await ended(`${slow} ${UNWIND}`, 'SIGINT')).toEqual({
      said: 'working;unwound;',
      status: null,
      by: 'SIGINT',
    });
  });

  test('ends by itself where no signal comes', async () => {
    expect(await ended('')).toEqual({ said: 'working;after;', status: 0, by: null });
  });
});
