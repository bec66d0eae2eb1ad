import { type DeviceStatus, parseStatus } from '../device/api/status.ts';
import { FwError } from '../errors.ts';
import { parseRefusal } from '../update/transfer/messages.ts';
import type { Answer, CallOptions, DeviceLink } from './link.ts';

export async function statusOf(link: DeviceLink, options?: CallOptions): Promise<DeviceStatus> {
  return parseStatus(await ask(link, ['status', '--json'], options));
}

/**
 * Has a device do something.
 * @returns what it printed
 * @throws FwError as the device told it, or as `DeviceLink.call`
 */
export async function ask(
  link: DeviceLink,
  words: readonly string[],
  options?: CallOptions,
): Promise<string> {
  const answer = await link.call(words, options);
  if (answer.status !== 0) throw failureOf(link.name, words, answer);
  return answer.output;
}

/** The same for what ends the connection, which may end before the device's answer has come. */
export async function askToGoDown(
  link: DeviceLink,
  words: readonly string[],
  options?: CallOptions,
): Promise<void> {
  try {
    await ask(link, words, options);
  } catch (error) {
    if (!(error instanceof FwError && error.code === 'ssh-closed')) throw error;
  }
}

/** heart attach's word for a hearthd that does not answer. */
const UNAVAILABLE = 69;

/** What a device said when it failed: in JSON, as an error of ours, or in words. */
export function failureOf(
  name: string,
  words: readonly string[],
  { status, output, errorOutput }: Answer,
): FwError {
  if (status === UNAVAILABLE)
    return new FwError('device-unavailable', `${name} is there, and hearthd does not answer on it`, {
      where: firstLine(errorOutput) || name,
      expected: 'hearthd, which heart starts',
      remedy: 'Wait half a minute and try again; ssh root@HOST gives a shell there meanwhile.',
    });
  return (
    toldInJson(output) ??
    new FwError(
      'device-failed',
      firstLine(errorOutput) || firstLine(output) || `it ended with status ${status}`,
      {
        where: `${words.join(' ')} on ${name}, status ${status}`,
        remedy: 'Ask the device what it does: fw status HOST.',
      },
    )
  );
}

function toldInJson(output: string): FwError | undefined {
  try {
    const { error } = JSON.parse(output) as { error?: unknown };
    return error === undefined ? undefined : parseRefusal(Buffer.from(JSON.stringify(error)));
  } catch {
    // Words, then.
    return undefined;
  }
}

function firstLine(text: string): string {
  return text.trim().split('\n', 1)[0] ?? '';
}
