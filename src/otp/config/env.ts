export type Env = 'dev' | 'test' | 'prod';

/**
 * What the code was built for: `FW_ENV`. `fw build` puts the text itself in its place, and leaves out the branches that
 * it rules out. Without a build the variable says it, and without one it is `dev`, or `test` where a test runner says so.
 */
export const env: Env =
  process.env.FW_ENV === 'prod'
    ? 'prod'
    : process.env.FW_ENV === 'dev'
      ? 'dev'
      : process.env.FW_ENV === 'test'
        ? 'test'
        : guess();

function guess(): Env {
  const said = process.env.FW_ENV;
  if (said) throw new Error(`FW_ENV is '${said}', which is none of dev, test and prod`);
  const tested = process.env.NODE_ENV === 'test' || process.env.NODE_TEST_CONTEXT !== undefined;
  const guessed = tested ? 'test' : 'dev';
  // So that code which asks the variable gets the same answer. Not an assignment: in a build its left side is a text.
  Object.assign(process.env, { FW_ENV: guessed });
  return guessed;
}
