/** For tests only: what a power cut can leave of a disk, at any moment of what was done to it. */
import type { Slot } from '../archive/variants.ts';
import type { Pages } from './pages.ts';
import type { DiskEvent } from './simulated-disk.ts';
import { apply, pickUnit, tear } from './tear.ts';

export interface Cut {
  pages: Pages;
  armed: Slot | undefined;
  /** Which, for a message. */
  what: string;
}

export interface CutOptions {
  random: () => number;
  /** Whether the one-shot outlives the power: on UEFI it does. */
  keepsArmed: boolean;
  /** How many random ones there are at each moment, besides the two plain ones. */
  perMoment: number;
}

type Write = Extract<DiskEvent, { type: 'write' }>;

/**
 * For every prefix of the log: with nothing of what was not flushed, with all of it, and with random parts: whole writes lost
 * in any order, and writes torn at units that lie as the medium has them.
 */
export function* cuts(before: Pages, log: readonly DiskEvent[], options: CutOptions): Generator<Cut> {
  const durable = before.copy();
  let pending: Write[] = [];
  let armed: Slot | undefined;
  for (let at = 0; at <= log.length; at++) {
    const cut = (what: string, keep: (write: Write, to: Pages) => void): Cut => {
      const pages = durable.copy();
      for (const write of pending) keep(write, pages);
      return { pages, armed: options.keepsArmed ? armed : undefined, what: `after event ${at}: ${what}` };
    };
    yield cut('nothing of what was not flushed', () => {});
    if (pending.length > 0) {
      yield cut('all of it', apply);
      for (let n = 0; n < options.perMoment; n++) {
        const unit = pickUnit(options.random);
        yield cut(`parts of ${unit} bytes`, (write, to) => tear(write, to, unit, options.random));
      }
    }
    const event = log[at];
    if (event?.type === 'write') pending.push(event);
    if (event?.type === 'arm') armed = event.slot;
    if (event?.type !== 'flush') continue;
    for (const { offset, bytes } of pending) durable.write(offset, bytes);
    pending = [];
  }
}
