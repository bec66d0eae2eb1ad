import { FwError } from '../errors.ts';

/** `/run/hearth/boot`, written by heart's first stage (docs/device.md). */
export interface BootInfo {
  target: string;
  slot: 'a' | 'b';
  uuid: string;
  /** The whole disk's node, e.g. `/dev/vda`. */
  disk: string;
  root: string;
  /** The data partition's node; absent when the disk has none. */
  data: string | undefined;
  table: 'gpt' | 'mbr';
  /** What holds the watchdog, e.g. `i6300ESB timer`; absent when nothing does. */
  watchdog: string | undefined;
  /** e.g. `first-boot`, `watchdog`, `reboot: REASON`. */
  resetCause: string;
  /** Kernel start to heart's first instruction, milliseconds. */
  kernelMs: number;
}

export const BOOT_FILE = '/run/hearth/boot';

/** @throws FwError `bad-boot-info` naming the key */
export function parseBootInfo(text: string): BootInfo {
  const values = new Map<string, string>();
  for (const line of text.split('\n')) {
    const at = line.indexOf('=');
    if (at > 0) values.set(line.slice(0, at), line.slice(at + 1));
  }
  const optional = (key: string): string | undefined => values.get(key) || undefined;
  const required = (key: string): string => {
    const value = optional(key);
    if (value === undefined) throw bad(key, 'a value');
    return value;
  };
  const slot = required('SLOT');
  if (slot !== 'a' && slot !== 'b') throw bad('SLOT', 'a or b');
  const table = required('TABLE');
  if (table !== 'gpt' && table !== 'mbr') throw bad('TABLE', 'gpt or mbr');
  return {
    target: required('TARGET'),
    slot,
    uuid: required('UUID'),
    disk: required('DISK'),
    root: required('ROOT'),
    data: optional('DATA'),
    table,
    watchdog: optional('WATCHDOG'),
    resetCause: optional('RESET_CAUSE') ?? 'unknown',
    kernelMs: Number(optional('KERNEL_MS') ?? 0) || 0,
  };
}

function bad(key: string, expected: string): FwError {
  return new FwError('bad-boot-info', `${BOOT_FILE}: ${key} is not ${expected}`, {
    where: key,
    expected,
    remedy: 'heart writes this file: heart and hearthd must come from the same build.',
  });
}
