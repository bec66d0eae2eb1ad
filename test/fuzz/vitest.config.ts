import { defineConfig } from 'vitest/config';

// The tests as they are, one file at a time, with another `fc.assert`. No test has a time limit of its own here: it goes
// on for as long as it is told to, and main.ts ends what hangs.
export default defineConfig({
  test: {
    include: ['**/*.test.ts'],
    setupFiles: ['test/fuzz/set-up.ts'],
    fileParallelism: false,
    // Those that the last pass has no time for are not always the same.
    sequence: { shuffle: { files: true } },
    testTimeout: 0,
    hookTimeout: 600_000,
  },
});
