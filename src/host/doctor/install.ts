import type { Host } from './host.ts';

/** What may have to be installed. */
export type Wanted = 'qemu-x86_64' | 'qemu-aarch64' | 'uefi-x86_64' | 'uefi-aarch64' | 'ssh' | 'npm';

interface Manager {
  distributions: string[];
  install: string;
  packages: Record<Wanted, string>;
}

/** Package managers and what they call things. */
const MANAGERS: Manager[] = [
  {
    distributions: ['debian', 'ubuntu', 'raspbian'],
    install: 'apt install',
    packages: {
      'qemu-x86_64': 'qemu-system-x86',
      'qemu-aarch64': 'qemu-system-arm',
      'uefi-x86_64': 'ovmf',
      'uefi-aarch64': 'qemu-efi-aarch64',
      ssh: 'openssh-client',
      npm: 'npm',
    },
  },
  {
    distributions: ['fedora', 'rhel', 'centos'],
    install: 'dnf install',
    packages: {
      'qemu-x86_64': 'qemu-system-x86',
      'qemu-aarch64': 'qemu-system-aarch64',
      'uefi-x86_64': 'edk2-ovmf',
      'uefi-aarch64': 'edk2-aarch64',
      ssh: 'openssh-clients',
      npm: 'nodejs-npm',
    },
  },
  {
    distributions: ['arch'],
    install: 'pacman -S',
    packages: {
      'qemu-x86_64': 'qemu-system-x86',
      'qemu-aarch64': 'qemu-system-aarch64',
      'uefi-x86_64': 'edk2-ovmf',
      'uefi-aarch64': 'edk2-aarch64',
      ssh: 'openssh',
      npm: 'npm',
    },
  },
  {
    distributions: ['opensuse', 'suse'],
    install: 'zypper install',
    packages: {
      'qemu-x86_64': 'qemu-x86',
      'qemu-aarch64': 'qemu-arm',
      'uefi-x86_64': 'qemu-ovmf-x86_64',
      'uefi-aarch64': 'qemu-uefi-aarch64',
      ssh: 'openssh-clients',
      npm: 'npm',
    },
  },
];

const HOMEBREW: Record<Wanted, string> = {
  'qemu-x86_64': 'qemu',
  'qemu-aarch64': 'qemu',
  'uefi-x86_64': 'qemu',
  'uefi-aarch64': 'qemu',
  ssh: 'openssh',
  npm: 'node',
};

const WORDS: Record<Wanted, string> = {
  'qemu-x86_64': 'QEMU 9 or newer for x86_64',
  'qemu-aarch64': 'QEMU 9 or newer for aarch64',
  'uefi-x86_64': "EDK II's UEFI firmware for x86_64 (OVMF)",
  'uefi-aarch64': "EDK II's UEFI firmware for aarch64 (AAVMF)",
  ssh: "OpenSSH's client",
  npm: 'npm, which comes with Node',
};

/** The command that installs something on a machine; in words where the command is not known. */
export function howToInstall(wanted: Wanted, host: Host): string {
  if (host.platform === 'darwin') return `brew install ${HOMEBREW[wanted]}`;
  const id = host.distributions.find((name) => managerOf(name));
  const manager = id === undefined ? undefined : managerOf(id);
  if (host.platform !== 'linux' || !manager) return `Install ${WORDS[wanted]} with your package manager.`;
  const old = wanted.startsWith('qemu-') ? tooOldThere(host) : undefined;
  if (old === 'ubuntu') return 'Upgrade to Ubuntu 25.04 or newer, or: brew install qemu';
  const sudo = host.root ? '' : 'sudo ';
  const name = manager.packages[wanted];
  if (old !== 'bookworm') return `${sudo}${manager.install} ${name}`;
  const install = `${sudo}${manager.install} -t bookworm-backports ${name}`;
  return host.apt.backports ? install : [...addBackports(host, sudo), install].join(' && ');
}

function addBackports({ apt }: Host, sudo: string): string[] {
  const line = `deb ${apt.mirror ?? 'MIRROR'} bookworm-backports main`;
  return [`echo "${line}" | ${sudo}tee /etc/apt/sources.list.d/backports.list`, `${sudo}apt update`];
}

function managerOf(distribution: string): Manager | undefined {
  return MANAGERS.find(({ distributions }) => distributions.some((name) => distribution.startsWith(name)));
}

/** Distributions whose own QEMU is older than 9: Debian 12 has 7.2, Ubuntu 24.04 has 8.2. */
function tooOldThere({ distributions: [id = ''], version }: Host): 'bookworm' | 'ubuntu' | undefined {
  if (['debian', 'raspbian'].includes(id) && Number(version) === 12) return 'bookworm';
  if (id === 'ubuntu' && Number(version) < 25) return 'ubuntu';
  return undefined;
}
