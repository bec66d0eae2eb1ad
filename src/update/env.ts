import { encodeEnv } from '../formats/ubootenv.ts';
import { ENV } from './layout.ts';

/** What the environment says of a firmware in a slot. */
export interface SlotFacts {
  version: string;
  uuid: string;
  product: string;
  target: string;
}

/**
 * The environment of a disk that was flashed, both copies: slot a holds the firmware and is validated from the
 * start (only updates have a trial), slot b is empty. Keys are `a.version`, `b.…`; `active` is the slot that boots.
 */
export function flashedEnv({ version, uuid, product, target }: SlotFacts): Uint8Array[] {
  const values = new Map([
    ['active', 'a'],
    ['a.version', version],
    ['a.uuid', uuid],
    ['a.product', product],
    ['a.target', target],
    ['a.validated', '1'],
  ]);
  // Counters 1 and 0: the first copy is the newer one, and the next write goes to the second.
  return [encodeEnv({ values, flags: 1 }, ENV.size), encodeEnv({ values, flags: 0 }, ENV.size)];
}
