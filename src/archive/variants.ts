import { FwError } from '../errors.ts';
import type { Payload } from './manifest.ts';

export type Slot = 'a' | 'b';

/**
 * A payload is the same for both slots but for its variants: on a Raspberry Pi, the word in cmdline.txt that
 * names the slot. Payloads carry variant a; hashes are those of variant a. What goes into slot b is
 * `swapVariants(chunk, offset, payload, 'a', 'b')`, and what is read back from slot b is checked after
 * `swapVariants(chunk, offset, payload, 'b', 'a')`.
 * @param bytes any part of the payload, `offset` bytes into it; returned as it is when no variant lies in it
 * @throws FwError `fw-variant-mismatch` when the bytes there are not those of variant `from`
 */
export function swapVariants(
  bytes: Uint8Array,
  offset: number,
  payload: Payload,
  from: Slot,
  to: Slot,
): Uint8Array {
  let out = bytes;
  for (const variant of payload.variants ?? []) {
    const old = Buffer.from(variant[from], 'base64');
    const begin = Math.max(variant.offset, offset);
    const end = Math.min(variant.offset + old.length, offset + bytes.length);
    if (begin >= end) continue;
    const there = bytes.subarray(begin - offset, end - offset);
    if (Buffer.compare(there, old.subarray(begin - variant.offset, end - variant.offset)) !== 0) {
      throw new FwError(
        'fw-variant-mismatch',
        `payload ${payload.name} differs at byte ${begin} from its variant ${from}`,
        {
          where: `payload/${payload.name}, byte ${begin}`,
          expected: JSON.stringify(old.toString('latin1')),
        },
      );
    }
    if (out === bytes) out = Uint8Array.from(bytes);
    const fresh = Buffer.from(variant[to], 'base64');
    out.set(fresh.subarray(begin - variant.offset, end - variant.offset), begin - offset);
  }
  return out;
}
