import { FwError } from '../../errors.ts';
import { DEV_FRAME, MOST_CODE, type Push, parsePush, readDevFrames } from './frame.ts';

export interface Pushed {
  push: Push;
  deflated: Uint8Array;
}

/**
 * What a session sends, each time that it is complete.
 * @throws FwError `dev-garbled`, `transfer-garbled`
 */
export async function* pushes(source: AsyncIterable<Uint8Array>): AsyncGenerator<Pushed, void, undefined> {
  let push: Push | undefined;
  let pieces: Uint8Array[] = [];
  let length = 0;
  for await (const { type, payload } of readDevFrames(source)) {
    switch (type) {
      case DEV_FRAME.push:
        push = parsePush(payload);
        [pieces, length] = [[], 0];
        break;
      case DEV_FRAME.code:
        length += payload.length;
        // Deflated it is hardly ever longer; whoever sends without end must not fill the device's memory.
        if (length > MOST_CODE) throw unexpected(`${length} bytes of code`);
        // Out of the chunk of the stream that it came in.
        pieces.push(Buffer.from(payload));
        break;
      case DEV_FRAME.run:
        if (!push) throw unexpected('no code');
        yield { push, deflated: Buffer.concat(pieces) };
        [push, pieces, length] = [undefined, [], 0];
        break;
      default:
        throw unexpected(`a frame of type ${type}`);
    }
  }
}

function unexpected(where: string): FwError {
  return new FwError('dev-garbled', 'fw and the device do not understand each other', {
    where,
    expected: `an announcement, the code, which is at most ${MOST_CODE} bytes long, and its end`,
    remedy: 'Install a firmware that is built with this fw: fw upload HOST.',
  });
}
