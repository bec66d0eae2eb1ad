import { FwError } from '../errors.ts';

/**
 * Paths mean nothing in a folder that was deleted while a shell was in it.
 * @throws FwError `no-current-folder`
 */
export function checkCurrentFolder(): void {
  try {
    process.cwd();
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') throw cause;
    throw new FwError('no-current-folder', 'the folder that you are in was deleted', {
      where: process.env.PWD ?? 'the current folder',
      expected: 'a folder that is there',
      remedy: 'Go to another one, or leave this one and come back if it was made anew: `cd "$PWD"`.',
      cause,
    });
  }
}
