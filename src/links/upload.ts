import type { FirmwareFile } from '../archive/open.ts';
import type { DeviceStatus } from '../device/api/status.ts';
import { FwError } from '../errors.ts';
import { type SendOptions, type Sent, sendUpdate } from '../update/transfer/send.ts';
import { failureOf } from './device.ts';
import type { DeviceLink } from './link.ts';
import { awaitVerdict, type Verdict, type WaitOptions } from './verdict.ts';

export interface UploadOptions extends WaitOptions, SendOptions {
  mayAsk?: boolean;
  /** Whether to stay until the device has decided. */
  wait: boolean;
  /** The device has it all, and goes down to try it. */
  onRebooting?(sent: Sent): Promise<void>;
}

export interface Uploaded extends Sent {
  /** Of the sending, with the device's read-back. */
  seconds: number;
  /** Undefined when it was not waited for. */
  verdict: Verdict | undefined;
}

/**
 * Sends a firmware to a device, has it tried, and tells what has become of it.
 * @param before the device's status
 * @throws FwError as the device refused it, as the link failed, or `device-not-back`
 */
export async function upload(
  fw: FirmwareFile,
  link: DeviceLink,
  before: Pick<DeviceStatus, 'slot' | 'update'>,
  options: UploadOptions,
): Promise<Uploaded> {
  const begun = performance.now();
  const sent = await send(fw, link, options);
  const seconds = (performance.now() - begun) / 1000;
  await options.onRebooting?.(sent);
  if (!options.wait) return { ...sent, seconds, verdict: undefined };
  const { trialSeconds } = before.update;
  const { uuid } = fw.manifest;
  const verdict = await awaitVerdict(link, { uuid, slot: before.slot, trialSeconds }, options);
  return { ...sent, seconds, verdict };
}

const UPDATE = ['update', '--frames'];

async function send(fw: FirmwareFile, link: DeviceLink, options: UploadOptions): Promise<Sent> {
  const { signal, mayAsk = false } = options;
  const session = link.open(UPDATE, { mayAsk });
  const close = (): void => session.close();
  signal.addEventListener('abort', close, { once: true });
  try {
    return await sendUpdate(fw, session, options);
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof FwError) || error.code !== 'transfer-ended') throw error;
    // Why it has ended is for the carrier to say, or for the verb in words of its own.
    const answer = await session.ended;
    throw answer.status === 0 ? error : failureOf(link.name, UPDATE, answer);
  } finally {
    signal.removeEventListener('abort', close);
    session.close();
  }
}
