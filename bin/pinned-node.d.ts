export function cacheDir(): string;
export function compressesAsPinned(): boolean;
export function npmProgram(): { program: string; before: string[] };
export function npmPack(
  name: string,
  version: string,
  integrity: string,
  options?: string[],
): Promise<Buffer>;
export function pinnedNode(options?: { offline?: boolean }): Promise<string>;
export function pinnedNodePath(): string | undefined;
export const PINNED_NODE: string;
export function isOffline(env?: NodeJS.ProcessEnv): boolean;
