import { createHash } from 'node:crypto';

const HASH = /(?<=hearthd-[a-z]+-)[0-9A-Z]{8}(?=\.mjs)/g;

/**
 * Names hearthd's chunks by their code. esbuild's own hashes cover the source maps as well, and those name the toolkit's files:
 * `.ts` in a checkout, `.js` where it is installed; equal inputs would give other bytes. The new names are as long as the old
 * ones, so that the maps stay right.
 */
export function namedByCode(
  files: readonly { name: string; contents: Uint8Array }[],
): { name: string; contents: Uint8Array }[] {
  const texts = files.map(({ name, contents }) => ({ name, text: Buffer.from(contents).toString() }));
  const hashes = new Map<string, string>();
  for (const { name, text } of texts) {
    const [old] = name.match(HASH) ?? [];
    if (old !== undefined && name.endsWith('.mjs')) hashes.set(old, hashOf(text.replace(HASH, '')));
  }
  const rename = (text: string): string => text.replace(HASH, (old) => hashes.get(old) ?? old);
  return texts.map(({ name, text }) => ({ name: rename(name), contents: Buffer.from(rename(text)) }));
}

function hashOf(code: string): string {
  return createHash('sha256').update(code).digest('hex').slice(0, 8).toUpperCase();
}
