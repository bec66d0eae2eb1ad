import * as door from '../../bin/home.js';
import { FwError } from '../errors.ts';

/**
 * The user's home folder. `instead` is the variable that would make it needless.
 * @throws FwError `no-home-folder`
 */
export function homeFolder(instead?: string): string {
  try {
    return door.homeFolder(instead);
  } catch (cause) {
    const { message, remedy } = cause as Error & { remedy: string };
    throw new FwError('no-home-folder', message, {
      where: 'HOME',
      expected: 'a folder in HOME, or an entry of this user in /etc/passwd',
      remedy,
      cause,
    });
  }
}
