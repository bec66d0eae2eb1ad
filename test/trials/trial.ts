import { setTimeout as delay } from 'node:timers/promises';
import type { Device } from './device.ts';
import type { Built, Forge, Recipe } from './forge.ts';

/** A device that is well, and firmware for it. */
export interface Scene {
  device: Device;
  forge: Forge;
  /** The next version, above all before it. */
  build(recipe: Recipe): Promise<Built>;
}

/**
 * Who ends the trial of a bad firmware. `itself`: it, heart, or the kernel. `loader`: the boot loader, which passes over it.
 * `somebody`: nothing runs that could, and the board's own firmware stays where it is: the reset button, or a watchdog that the
 * board has of its own.
 */
type End = 'itself' | 'loader' | 'somebody';

export interface Fate {
  ends: End | { uefi: End; pi: End };
  /** What the device says afterwards. */
  reason: RegExp;
}

export interface Outcome {
  /** Restarts. Of a firmware that is given up: into it, unless the boot loader passes over it, and out of it. */
  boots: number;
  reason: string;
}

/** A board that has not started its kernel within this is not going to. */
const DEAD_AFTER_MS = 30_000;

/** Sends a bad firmware, as `fw upload` does, and looks at what has become of it and of the one before. */
export async function tryBad(device: Device, bad: Built, { ends, reason }: Fate): Promise<Outcome> {
  const before = await device.status();
  const { boots, transcript } = device;
  const given = new AbortController();
  const uploading = device.upload(bad, before, given.signal);
  const end = typeof ends === 'string' ? ends : ends[device.target === 'rpi3' ? 'pi' : 'uefi'];
  // It is waited for below; what comes first may be that somebody is needed.
  uploading.catch(() => {});
  try {
    if (end === 'somebody') await resetWhenDead(device, uploading, boots);
    const { verdict, sent, fileSize } = await uploading;
    const after = await device.status();
    const { last } = after;
    const other = before.slot === 'a' ? 'b' : 'a';
    const said = device.transcript.slice(transcript.length);
    must(sent < fileSize / 10, `${sent} of ${fileSize} bytes were sent`);
    must(verdict?.result === 'reverted', `fw says ${JSON.stringify(verdict)}`);
    must(
      after.uuid === before.uuid && after.slot === before.slot,
      `${after.version} runs, from slot ${after.slot}`,
    );
    must(after.state === 'idle', `the update is ${after.state}`);
    must(last?.result === 'reverted' && last.uuid === bad.uuid, `last: ${JSON.stringify(last)}`);
    must(reason.test(last.reason), `the reason is: ${last.reason}`);
    must(verdict.reason === last.reason, `fw says: ${verdict.reason}`);
    must(device.boots - boots === (end === 'loader' ? 1 : 2), `${device.boots - boots} restarts`);
    must(said.split(`[hearth] slot ${other} of`).length <= 2, `slot ${other} was booted again`);
    must(
      said.includes(`[hearth] reverted: ${bad.version} (`),
      'its console does not say that it was reverted',
    );
    const held = await device.wholeSlot(before.slot);
    must(held === before.version, `slot ${before.slot} holds ${held}`);
    return { boots: device.boots - boots, reason: last.reason };
  } finally {
    given.abort();
  }
}

/** Sends a good one, which must stay. */
export async function stays({ device, build }: Scene): Promise<Outcome> {
  return mustStay(device, await build({}));
}

export async function mustStay(device: Device, good: Built): Promise<Outcome> {
  const before = await device.status();
  const { boots } = device;
  const given = new AbortController();
  const { verdict } = await device.upload(good, before, given.signal).finally(() => given.abort());
  must(verdict?.result === 'validated', `fw says ${JSON.stringify(verdict)}`);
  const after = await device.status();
  must(
    after.uuid === good.uuid && after.slot !== before.slot,
    `${after.version} runs, from slot ${after.slot}`,
  );
  for (const [slot, version] of [
    [before.slot, before.version],
    [after.slot, good.version],
  ] as const) {
    const held = await device.wholeSlot(slot);
    must(held === version, `slot ${slot} holds ${held}`);
    must(after.slots[slot]?.validated === true, `slot ${slot} counts as not validated`);
  }
  must(device.boots - boots === 1, `${device.boots - boots} restarts`);
  return { boots: 1, reason: verdict.reason };
}

/** Presses the reset button, once the bad firmware was to start and has not. */
async function resetWhenDead(device: Device, uploading: Promise<unknown>, boots: number): Promise<void> {
  const { machine } = device;
  const alone = uploading.then(() => {
    throw new Error('it came back without anybody');
  });
  while (device.boots === boots) await Promise.race([delay(200), alone]);
  // The rig says at once that a board would not boot.
  await Promise.race([delay(DEAD_AFTER_MS), machine.exited, alone]);
  must(device.boots === boots + 1, 'it has restarted by itself');
  await device.reset();
  alone.catch(() => {});
}

export function must(so: boolean, otherwise: string): asserts so {
  if (!so) throw new Error(otherwise);
}
