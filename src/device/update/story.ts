/** What a person reads of an update on the console. docs/troubleshooting.md has each of these lines; a test compares. */
export const STORY = {
  coming: (via: string) => `an update comes by ${via}`,
  refused: (why: string) => `update refused: ${why}`,
  staged: (version: string, slot: string) =>
    `update ${version} staged in slot ${slot}: rebooting for its trial`,
  trial: (version: string, healthySeconds: number, trialSeconds: number) =>
    `on trial: ${version}, to be healthy for ${healthySeconds} s and to be reached, within ${trialSeconds} s`,
  manual: (version: string, trialSeconds: number) =>
    `on trial: ${version}, to be validated by hand within ${trialSeconds} s`,
  validated: (version: string, reason: string) => `validated: ${version} (${reason})`,
  givingUp: (version: string, reason: string) =>
    `the trial of ${version} has failed: ${reason}. Rebooting into the firmware before it`,
  reverted: (version: string, reason: string) => `reverted: ${version} (${reason})`,
  again: (version: string) => `on trial: ${version} is tried again after this reboot`,
  off: (why: string) => `updates are off: ${why}`,
} as const;
