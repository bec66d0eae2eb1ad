import { constants } from 'node:fs';
import { access, readFile } from 'node:fs/promises';
import { startQemu } from './process.ts';

/** How the guest's processor is provided. */
export interface Accelerator {
  kind: 'kvm' | 'tcg';
  /** For -accel. */
  accel: string;
  /** For -icount; left out where the guest's clock is the host's. */
  icount?: string;
}

/** QEMU's own emulation of the processor; it works everywhere. */
export const TCG: Accelerator = { kind: 'tcg', accel: 'tcg,thread=multi' };
/**
 * The same, for one processor whose clock goes by the instructions that it has executed, 4 ns each; while it has nothing to do,
 * time passes as on the host. On a host that is busy, or slow, the guest is not late: no watchdog of its own bites it. It costs 1.7 times as much.
 */
export const STEADY: Accelerator = { kind: 'tcg', accel: 'tcg,thread=single', icount: 'shift=2,sleep=on' };
const KVM: Accelerator = { kind: 'kvm', accel: 'kvm' };

/** What a guest needs of an accelerator. */
export interface Guest {
  /** The QEMU program. */
  qemu: string;
  /** Of the guest's processor, as Node names it. */
  arch: 'x64' | 'arm64';
  /** For -M. */
  machine: string;
}

/**
 * KVM when it works for this guest, QEMU's own emulation otherwise. That /dev/kvm can be opened proves nothing: some
 * hosts offer one that fails at the first instruction. So the processor must have the extensions, and a machine must start.
 */
export async function chooseAccelerator({ qemu, arch, machine }: Guest): Promise<Accelerator> {
  if (process.platform !== 'linux' || process.arch !== arch) return TCG;
  if (!(await canOpen('/dev/kvm'))) return TCG;
  if (arch === 'x64' && !/^flags\s*:.*\b(vmx|svm)\b/m.test(await readFile('/proc/cpuinfo', 'utf8')))
    return TCG;
  return (await starts(qemu, machine)) ? KVM : TCG;
}

function canOpen(file: string): Promise<boolean> {
  return access(file, constants.R_OK | constants.W_OK).then(
    () => true,
    () => false,
  );
}

async function starts(qemu: string, machine: string): Promise<boolean> {
  try {
    const args = [
      '-nodefaults',
      '-display',
      'none',
      '-M',
      machine,
      '-accel',
      KVM.accel,
      '-cpu',
      'host',
      '-S',
    ];
    const probe = await startQemu(qemu, [
      ...args,
      '-chardev',
      'socket,id=qmp,fd=3',
      '-mon',
      'chardev=qmp,mode=control',
    ]);
    for (const serial of probe.serials) serial.resume();
    // The processors' state is set after the greeting; a KVM that cannot do that takes QEMU down.
    await probe.qmp.execute('query-cpus-fast');
    const { code } = await probe.quit();
    return code === 0;
  } catch {
    // Whatever is wrong with KVM here, the guest runs without it.
    return false;
  }
}
