import { setTimeout as delay } from 'node:timers/promises';
import { describe, type Exec } from '../exec.ts';

/** A module takes a second to load on a slow board with a cold card; what is not there by then does not come. */
const LOAD_TIMEOUT_MS = 10_000;
const LOAD_LOOK_MS = 20;

/** A line of /proc/mounts. */
export interface Mount {
  source: string;
  target: string;
  type: string;
  options: string[];
}

/** Spaces and the like in paths are written as octal escapes (proc(5)). */
export function parseMounts(text: string): Mount[] {
  const plainPath = (field: string): string =>
    field.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
  return text
    .split('\n')
    .map((line) => line.split(' '))
    .flatMap(([source, target, type, options]) =>
      source && target && type
        ? [{ source, target: plainPath(target), type, options: options?.split(',') ?? [] }]
        : [],
    );
}

/** What is mounted on `target`: the last one hides the others. */
export function mountedOn(target: string, mounts: readonly Mount[]): Mount | undefined {
  return mounts.findLast((mount) => mount.target === target);
}

export interface MountRequest {
  device: string;
  target: string;
  readOnly: boolean;
  commitSeconds: number;
}

/**
 * Waits until the kernel knows ext4. heart loads it while hearthd starts, and busybox's modprobe, which the kernel runs
 * for a mount, takes a module that is still loading for one that is there: such a mount fails with `No such device`.
 * @param filesystems gives /proc/filesystems
 */
export async function loadExt4(exec: Exec, filesystems: () => string): Promise<void> {
  const known = (): boolean => /\text4$/m.test(filesystems());
  if (known()) return;
  await exec('modprobe', ['-q', 'ext4']);
  // Otherwise mount says what is missing.
  for (let waited = 0; !known() && waited < LOAD_TIMEOUT_MS; waited += LOAD_LOOK_MS)
    await delay(LOAD_LOOK_MS);
}

/**
 * Mounts the data partition. An error makes it read-only at once, before more is destroyed (`errors=remount-ro`);
 * reading writes nothing (`noatime`); no device nodes and no set-user-ID programs, because the app writes here.
 * @returns what went wrong, or undefined
 */
export async function mountExt4(exec: Exec, request: MountRequest): Promise<string | undefined> {
  const options = [
    request.readOnly ? 'ro' : 'rw',
    'noatime,nodev,nosuid,errors=remount-ro',
    `commit=${request.commitSeconds}`,
  ];
  const result = await exec('mount', ['-t', 'ext4', '-o', options.join(','), request.device, request.target]);
  return result.code === 0 ? undefined : describe('mount', result);
}

/** Memory for the app's files when the disk has no place for them: a quarter, so that the app cannot eat it all. */
export async function mountVolatile(exec: Exec, target: string): Promise<string | undefined> {
  const options = 'mode=755,nodev,nosuid,size=25%';
  const result = await exec('mount', ['-t', 'tmpfs', '-o', options, 'hearth-volatile', target]);
  return result.code === 0 ? undefined : describe('mount', result);
}
