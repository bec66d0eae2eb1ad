/** For tests only: random choices that can be had again. The seed is printed; HEARTH_TEST_SEED sets it. */
export function seededRandom(what: string): () => number {
  const seed = Number(process.env.HEARTH_TEST_SEED ?? Math.floor(Math.random() * 2 ** 31)) | 0;
  console.log(`${what}: HEARTH_TEST_SEED=${seed}`);
  return randomFrom(seed);
}

/** The same choices for the same seed. */
export function randomFrom(seed: number): () => number {
  // xorshift32 (Marsaglia 2003); zero is its one bad state.
  let state = seed | 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}
