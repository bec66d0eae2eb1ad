export function whenKilled(cleanup: () => void | Promise<void>): () => void;
