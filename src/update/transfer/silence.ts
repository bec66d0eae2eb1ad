import { FwError } from '../../errors.ts';

/** A slow link may take hours; one that says nothing for so long will not go on, and keeps every other update out. */
const SILENCE_MS = 10 * 60_000;

/**
 * The pieces of a source, as they come. The time runs while the next is waited for.
 * @throws FwError `transfer-silent`
 */
export async function* neverSilent<T>(source: AsyncIterable<T>, withinMs = SILENCE_MS): AsyncGenerator<T> {
  const pieces = source[Symbol.asyncIterator]();
  try {
    for (;;) {
      const { done, value } = await soon(pieces.next(), withinMs);
      if (done) return;
      yield value;
    }
  } finally {
    // Not waited for: a source that is silent may not hear it before its connection ends.
    pieces.return?.()?.catch(() => {});
  }
}

function soon<T>(piece: Promise<T>, withinMs: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(
        new FwError('transfer-silent', `nothing has come for ${Math.round(withinMs / 60_000)} min`, {
          expected: 'a firmware, however slowly',
          remedy: 'Look at what sends it, and send it again: what is there already is not sent twice.',
        }),
      );
    }, withinMs);
    piece.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
