/** Reboots in a row for an app that fails, after which the device stays up to be mended (P10). */
export const MAX_REBOOTS = 3;

const REASON = /^reboot: app-failed (\d+)/;

/**
 * The reason for the next reboot when the app has failed and `onUnhealthy` says `reboot`; undefined when there were
 * enough of them. The count travels in the reason itself, which heart keeps outside every file system: it works without
 * /data, and a boot for any other reason starts from 1.
 *
 * @param resetCause why this boot came about, from heart
 */
export function rebootReason(resetCause: string): string | undefined {
  const before = Number(REASON.exec(resetCause)?.[1] ?? 0);
  return before >= MAX_REBOOTS ? undefined : `app-failed ${before + 1}`;
}
