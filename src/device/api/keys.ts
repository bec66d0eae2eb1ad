import type { DeviceIdentity } from '../identity.ts';
import type { OperatorKey } from '../ssh/operator-keys.ts';
import type { Device } from './device.ts';

/**
 * Who may log in: the firmware's keys, and those in the identity's place on the disk, which are there with every firmware.
 * @param tell the daemon, when it is on the disk
 */
export function keysOf(
  firmware: readonly string[],
  identity: DeviceIdentity,
  tell: () => Promise<void>,
): Device['keys'] {
  const rules = () => import('../later.ts');
  return {
    async list() {
      return (await rules()).operatorKeys(firmware, await identity.read());
    },
    async add(line) {
      const { withKey } = await rules();
      let added = false;
      await identity.change((before) => {
        const after = withKey(before, firmware, line);
        added = after !== before;
        return after;
      });
      await tell();
      return added;
    },
    async remove(which) {
      const { withoutKey } = await rules();
      // Decided and done in one turn: of two that remove at the same time, the second sees what the first has left.
      const removed: OperatorKey[] = [];
      await identity.change((before) => {
        const without = withoutKey(before, firmware, which);
        removed.push(without.removed);
        return without.identity;
      });
      await tell();
      return removed;
    },
  };
}
