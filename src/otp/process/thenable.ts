/**
 * Whether `await` would wait for it. Not every promise is a `Promise`: query builders, and promises of another realm (a
 * `vm`, a test runner), have only `then` in common with it.
 */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  if (value instanceof Promise) return true;
  if ((typeof value !== 'object' || value === null) && typeof value !== 'function') return false;
  return typeof (value as { then?: unknown }).then === 'function';
}
