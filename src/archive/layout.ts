import { TAR_BLOCK, TAR_END_SIZE, tarPadding } from '../formats/tar.ts';
import type { Manifest } from './manifest.ts';

/** The members of a .fw, in their one order; the payloads follow as `payload/NAME`, in the manifest's order. */
export const MEMBER = {
  manifest: 'manifest.json',
  signature: 'manifest.json.sig',
  chunks: 'chunks',
} as const;

export function payloadMember(name: string): string {
  return `payload/${name}`;
}

/** Where a member's content lies in the file, bytes. Its header is the block before. */
export interface Member {
  name: string;
  size: number;
  offset: number;
}

/** Everything about where things lie follows from two sizes and the manifest. */
export function layout(
  manifestSize: number,
  signatureSize: number,
  manifest: Manifest,
): { members: Member[]; fileSize: number } {
  const members: Member[] = [];
  let at = 0;
  const add = (name: string, size: number) => {
    members.push({ name, size, offset: at + TAR_BLOCK });
    at += TAR_BLOCK + size + tarPadding(size);
  };
  add(MEMBER.manifest, manifestSize);
  add(MEMBER.signature, signatureSize);
  add(MEMBER.chunks, manifest.chunks.size);
  for (const { name, stored } of manifest.payloads) add(payloadMember(name), stored.size);
  return { members, fileSize: at + TAR_END_SIZE };
}
