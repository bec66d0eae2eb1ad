export const SIGNALS: readonly NodeJS.Signals[];
export function whenKilled(cleanup: () => void | Promise<void>): () => void;
