/** The mailbox's property tag that sets the firmware's reboot flags; Linux has no name for it, Raspberry Pi's kernels do. */
const SET_REBOOT_FLAGS = '0x00038064';

/**
 * Whether the guest has asked its firmware for a one-shot boot, by QEMU's log of what it does not do itself (`-d unimp`): "unhandled tag
 * 0x…". QEMU shows no value with it; the only one that there is a use for is 1, tryboot.
 */
export function asksForTryboot(log: string): boolean {
  return log.includes(`bcm2835_property: unhandled tag ${SET_REBOOT_FLAGS}\n`);
}
