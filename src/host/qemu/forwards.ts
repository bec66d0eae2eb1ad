import { FwError } from '../../errors.ts';
import type { Forward } from './args.ts';

/** Fills in the ports that QEMU chose where any (0) was asked for, from what `info usernet` lists. */
export function actualForwards(wanted: readonly Forward[], usernet: string): Forward[] {
  const listening = [...usernet.matchAll(/HOST_FORWARD\]\s+\d+\s+[\d.]+\s+(\d+)\s+[\d.]+\s+(\d+)/g)].map(
    ([, host, guest]) => ({ host: Number(host), guest: Number(guest) }),
  );
  const fixed = new Set(wanted.map(({ host }) => host));
  const free = listening.filter(({ host }) => !fixed.has(host));
  return wanted.map(({ host, guest }) => {
    if (host !== 0) return { host, guest };
    const index = free.findIndex((candidate) => candidate.guest === guest);
    const [found] = index < 0 ? [] : free.splice(index, 1);
    if (!found)
      throw new FwError('qemu-failed', `QEMU does not listen for port ${guest} of the guest`, {
        where: usernet,
      });
    return found;
  });
}
