// Where the user is at home. Plain JavaScript, because the door needs it before there is a Node that strips types.
import { homedir } from 'node:os';

/** The user's home folder; throws an Error with `code` and `remedy` where there is none. `instead` is a variable that would do. */
export function homeFolder(instead) {
  try {
    return homedir();
  } catch (cause) {
    throw Object.assign(new Error('this user has no home folder', { cause }), {
      code: 'no-home-folder',
      remedy: `Set HOME to a folder that you may write to${instead ? `, or name one in ${instead}` : ''}.`,
    });
  }
}
