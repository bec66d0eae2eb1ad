export function cacheDir(): string;
export function compressesAsPinned(): boolean;
export function npmPack(name: string, version: string, integrity: string): Buffer;
export function pinnedNode(): string;
