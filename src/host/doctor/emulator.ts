import type { Emulator } from '../../build/emulator.ts';
import { FwError } from '../../errors.ts';
import { findQemu, type QemuBinary } from '../qemu/find.ts';
import { findUefi, type UefiArch } from '../qemu/uefi.ts';
import { type Finding, ok, problem } from './finding.ts';
import type { Host } from './host.ts';
import { howToInstall, type Wanted } from './install.ts';

const ARCH: Record<Emulator, UefiArch> = { q35: 'x86_64', 'virt-arm64': 'aarch64', raspi3b: 'aarch64' };

export interface EmulatorProbes {
  qemu: typeof findQemu;
  uefi: typeof findUefi;
}

/** QEMU and, where the machine boots by it, UEFI firmware, for these machines. Also says which programs were found. */
export async function checkEmulators(
  host: Host,
  emulators: readonly Emulator[],
  probes: EmulatorProbes = { qemu: findQemu, uefi: findUefi },
): Promise<{ findings: Finding[]; programs: Map<UefiArch, QemuBinary> }> {
  const findings: Finding[] = [];
  const programs = new Map<UefiArch, QemuBinary>();
  const run = async (check: string, wanted: Wanted, look: () => Promise<string>): Promise<void> => {
    try {
      findings.push(ok(check, await look()));
    } catch (error) {
      if (!(error instanceof FwError)) throw error;
      findings.push(problem(check, 'fw run', error.message, howToInstall(wanted, host)));
    }
  };
  for (const arch of new Set(emulators.map((emulator) => ARCH[emulator]))) {
    const [emulator] = emulators.filter((one) => ARCH[one] === arch);
    if (!emulator) continue;
    await run('QEMU', `qemu-${arch}`, async () => {
      const found = await probes.qemu(emulator, host.env.PATH ?? '');
      programs.set(arch, found);
      return `${found.version.join('.')} for ${arch}`;
    });
    if (!emulators.some((one) => ARCH[one] === arch && one !== 'raspi3b')) continue;
    // Beside QEMU there may be firmware of its own; without QEMU only where distributions keep it.
    const qemu = programs.get(arch)?.path ?? '/usr/bin/qemu';
    await run('UEFI firmware', `uefi-${arch}`, async () => (await probes.uefi(arch, qemu)).code);
  }
  return { findings, programs };
}
