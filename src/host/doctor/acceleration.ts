import { constants } from 'node:fs';
import { access, readFile } from 'node:fs/promises';
import { chooseAccelerator, type Guest } from '../qemu/accel.ts';
import { type Finding, note, ok } from './finding.ts';
import type { Host } from './host.ts';

const KVM = '/dev/kvm';
const CHECK = 'acceleration';

export interface AccelerationProbes {
  /** Whether KVM works for the guest: a machine is started, and stopped. */
  works(guest: Guest): Promise<boolean>;
  kvm(): Promise<'usable' | 'denied' | 'missing'>;
  cpuinfo(): Promise<string>;
}

const REAL: AccelerationProbes = {
  works: async (guest) => (await chooseAccelerator(guest)).kind === 'kvm',
  kvm: () =>
    access(KVM, constants.R_OK | constants.W_OK).then(
      () => 'usable' as const,
      (error: NodeJS.ErrnoException) => (error.code === 'ENOENT' ? 'missing' : 'denied'),
    ),
  cpuinfo: () => readFile('/proc/cpuinfo', 'utf8'),
};

/**
 * Whether this machine's processor runs guests of its own kind itself, and if not, why. Nothing is stopped by that:
 * QEMU then emulates the processor.
 * @param guest of this machine's kind; undefined where none of the project's targets is, or QEMU is missing
 */
export async function checkAcceleration(
  host: Host,
  guest: Guest | undefined,
  probes: AccelerationProbes = REAL,
): Promise<Finding | undefined> {
  if (!guest) return undefined;
  const slow = (why: string, remedy?: string): Finding =>
    note(CHECK, `${why}: QEMU emulates the processor, ten times slower`, remedy);
  if (host.platform !== 'linux') return slow('fw run uses only KVM, which Linux has');
  const kvm = await probes.kvm();
  if (kvm === 'missing')
    return slow(
      `there is no ${KVM}`,
      'Switch on virtualisation in the machine’s setup (in a virtual machine: nested virtualisation).',
    );
  if (kvm === 'denied')
    return slow(`you may not use ${KVM}`, 'sudo usermod -aG kvm $USER, then log in again');
  if (host.arch === 'x64' && !/^flags\s*:.*\b(vmx|svm)\b/m.test(await probes.cpuinfo()))
    return slow('the processor lends no virtualisation (vmx, svm)');
  if (await probes.works(guest)) return ok(CHECK, 'KVM works');
  return slow('KVM is there, but a machine does not start with it');
}
