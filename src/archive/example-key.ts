import { type PublicKey, parsePublicKey, sameKey } from './public-key.ts';

/**
 * The public half of `firmware/apps/example-key`, whose private half is published there: everybody can sign with
 * it. It stands here so that a build, a reader and a device recognise it and say so; see `key-rules.ts`.
 */
export const EXAMPLE_PUBLIC_KEY =
  'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGNM+vGprIe+aXeWchGBLdxDPwtfIPTFPW5KTMdsBQqQ hearth-example-key everybody-has-it';

const EXAMPLE = parsePublicKey(EXAMPLE_PUBLIC_KEY);

export function isExampleKey(key: PublicKey): boolean {
  return sameKey(key, EXAMPLE);
}
