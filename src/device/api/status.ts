import * as z from 'zod';
import { FwError } from '../../errors.ts';

const slot = z.enum(['a', 'b']);
const held = z.object({
  version: z.string(),
  uuid: z.string(),
  product: z.string(),
  target: z.string(),
  /** Whether it was ever made permanent here. */
  validated: z.boolean(),
  /** ISO 8601, by the device's clock; missing for what was flashed. */
  installed: z.string().optional(),
});
const lease = z.object({
  /** udhcpc's word, e.g. `bound`. */
  event: z.string(),
  /** IPv4 address with prefix length. */
  address: z.string().optional(),
  router: z.string().optional(),
  dns: z.array(z.string()).default([]),
});

/**
 * What a device says of itself: `ssh HOST status --json`, and the same over every other link. Fields may be added; what is
 * not known here is passed over, so that an older fw understands a newer device.
 */
export const deviceStatus = z.object({
  /** Of the firmware that runs. */
  product: z.string(),
  version: z.string(),
  uuid: z.string(),
  target: z.string(),
  slot,
  /** Its name in the network, and its number. Missing on devices of before. */
  hostname: z.string().optional(),
  serial: z.string().optional(),
  /** Of the update. `trial` also while the machine goes down for it: then `trial` below is missing. */
  state: z.enum(['idle', 'receiving', 'staged', 'trial']),
  /** This very system is on trial. */
  trial: z
    .object({
      secondsLeft: z.number(),
      /** Over the link by which it came. */
      reachable: z.boolean(),
      healthy: z.boolean(),
    })
    .optional(),
  /** The rules of a trial, as the running firmware has them. */
  update: z.object({
    healthySeconds: z.number(),
    trialSeconds: z.number(),
    validate: z.enum(['auto', 'manual']),
  }),
  slots: z.object({ a: held.optional(), b: held.optional() }),
  /** How the last update ended. */
  last: z
    .object({
      result: z.enum(['validated', 'reverted']),
      version: z.string(),
      uuid: z.string(),
      reason: z.string(),
    })
    .optional(),
  /** `name`: stopped, starting, healthy, unhealthy, waiting, failed, stopping. */
  app: z.object({ name: z.string(), pid: z.number().optional(), reason: z.string().optional() }),
  /** `persistent`, `read-only`, `volatile`, or `preparing`. */
  data: z.string(),
  /** By interface. */
  network: z.record(z.string(), lease),
  /** No firmware below this version is accepted. */
  floor: z.string().optional(),
  uptimeSeconds: z.number(),
  /** Why the machine was started, as heart tells it. */
  resetCause: z.string(),
});

export type DeviceStatus = z.infer<typeof deviceStatus>;

/** @throws FwError `status-garbled` */
export function parseStatus(text: string): DeviceStatus {
  try {
    return deviceStatus.parse(JSON.parse(text));
  } catch (cause) {
    throw new FwError('status-garbled', 'what answers as the device does not tell its status', {
      where: text.trim().slice(0, 200) || 'an empty answer',
      expected: 'one JSON object, as `ssh HOST status --json` prints it',
      remedy: 'Check that HOST is the device: a computer that is none of ours may have its address.',
      cause,
    });
  }
}
