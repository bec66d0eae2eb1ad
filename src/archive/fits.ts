import { FwError } from '../errors.ts';
import type { Arch, Manifest } from './manifest.ts';
import { compareVersions } from './version.ts';

/** What a firmware must suit. What is left out is not asked. */
export interface Device {
  product?: string;
  target?: string;
  arch?: Arch;
  /** The running firmware's version floor: nothing older is accepted. */
  versionFloor?: string;
  /** Size in bytes of the slot for each payload. When given, the firmware must have exactly these payloads. */
  slots?: Readonly<Record<string, number>>;
}

/**
 * Whether a firmware, rightly signed, is for this device.
 * @throws FwError `fw-wrong-product`, `fw-wrong-target`, `fw-wrong-arch`, `fw-downgrade`, `fw-payload-missing`,
 * `fw-payload-unknown`, `fw-too-large`
 */
export function checkFits(manifest: Manifest, device: Device): void {
  for (const field of ['product', 'target', 'arch'] as const) {
    const wanted = device[field];
    if (wanted === undefined || wanted === manifest[field]) continue;
    throw new FwError(`fw-wrong-${field}`, `the firmware is for ${field} ${manifest[field]}, not ${wanted}`, {
      where: `manifest.json, ${field}`,
      expected: wanted,
      remedy: 'Install the firmware that was built for this device.',
    });
  }
  const floor = device.versionFloor;
  if (floor !== undefined && compareVersions(manifest.version, floor) < 0) {
    throw new FwError(
      'fw-downgrade',
      `version ${manifest.version} is below the device's version floor ${floor}`,
      {
        where: 'manifest.json, version',
        expected: `${floor} or newer`,
        remedy: 'Build the wanted content again under a version above the floor.',
      },
    );
  }
  if (device.slots) checkSlots(manifest, device.slots);
}

function checkSlots(manifest: Manifest, slots: Readonly<Record<string, number>>): void {
  const wanted = Object.keys(slots);
  const missing = wanted.find((name) => !manifest.payloads.some((payload) => payload.name === name));
  if (missing !== undefined) {
    throw new FwError('fw-payload-missing', `the firmware has no payload ${missing}`, {
      where: 'manifest.json, payloads',
      expected: wanted.join(', '),
    });
  }
  for (const { name, size } of manifest.payloads) {
    const room = Object.hasOwn(slots, name) ? slots[name] : undefined;
    if (room === undefined) {
      throw new FwError('fw-payload-unknown', `the device has no place for the payload ${name}`, {
        where: 'manifest.json, payloads',
        expected: wanted.join(', '),
      });
    }
    if (size > room) {
      throw new FwError('fw-too-large', `payload ${name} has ${size} bytes; its slot has ${room}`, {
        where: `payload/${name}`,
        expected: `at most ${room} bytes`,
        remedy: `Make the firmware ${size - room} bytes smaller, or burn a disk with larger slots.`,
      });
    }
  }
}
