/** For tests only: what a power cut can leave of a disk, at any moment of what was done to it. */
import { hash } from 'node:crypto';
import type { Slot } from '../archive/variants.ts';
import type { Pages } from './pages.ts';
import { apply, pickUnit, tear } from './tear.ts';
import type { DiskEvent } from './test-simulated-disk.ts';

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
  /** How many random ones there are at each moment at most, besides the two plain ones. */
  perMoment: number;
  /** Whether it was not given before, and is from now on. */
  isNew(cut: Pick<Cut, 'pages' | 'armed'>): boolean;
}

/** Whether a disk, with what is armed, was not seen before. Most pages are shared by many disks, and are digested once. */
export function unseen(): CutOptions['isNew'] {
  const digests = new WeakMap<Uint8Array, string>();
  const seen = new Set<string>();
  const digest = (page: Uint8Array): string => {
    const known = digests.get(page) ?? hash('sha1', page, 'base64');
    digests.set(page, known);
    return known;
  };
  return ({ pages, armed }) => {
    const disk = hash('sha1', `${armed} ${pages.fingerprint(digest)}`, 'base64');
    const isNew = !seen.has(disk);
    seen.add(disk);
    return isNew;
  };
}

type Write = Extract<DiskEvent, { type: 'write' }>;

/** How often in a row chance may give what there was already, at one moment. */
const VAIN = 20;

/**
 * For every prefix of the log: with nothing of what was not flushed, with all of it, and with random parts: whole writes lost
 * in any order, and writes torn at units that lie as the medium has them. A disk that it has given already it does not give again.
 */
export function* cuts(before: Pages, log: readonly DiskEvent[], options: CutOptions): Generator<Cut> {
  const durable = before.copy();
  let pending: Write[] = [];
  let armed: Slot | undefined;
  for (let at = 0; at <= log.length; at++) {
    /** Undefined when there was one like it. */
    const cut = (what: string, keep: (write: Write, to: Pages) => void): Cut | undefined => {
      const pages = durable.copy();
      for (const write of pending) keep(write, pages);
      const cut = {
        pages,
        armed: options.keepsArmed ? armed : undefined,
        what: `after event ${at}: ${what}`,
      };
      return options.isNew(cut) ? cut : undefined;
    };
    const plain = [cut('nothing of what was not flushed', () => {}), cut('all of it', apply)];
    for (const each of plain) if (each) yield each;
    for (let n = 0, vain = 0; pending.length > 0 && n < options.perMoment && vain < VAIN; ) {
      const unit = pickUnit(options.random);
      const torn = cut(`parts of ${unit} bytes`, (write, to) => tear(write, to, unit, options.random));
      if (torn) {
        n++;
        vain = 0;
        yield torn;
      } else vain++;
    }
    const event = log[at];
    if (event?.type === 'write') pending.push(event);
    if (event?.type === 'arm') armed = event.slot;
    if (event?.type !== 'flush') continue;
    for (const { offset, bytes } of pending) durable.write(offset, bytes);
    pending = [];
  }
}
