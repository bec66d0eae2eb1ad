/** For `.catch`: undefined for what is not there; every other error stays one. */
export function ifPresent(error: NodeJS.ErrnoException): undefined {
  if (error.code === 'ENOENT') return undefined;
  throw error;
}
