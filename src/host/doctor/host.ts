import { readFile } from 'node:fs/promises';
import { addresses, aptSources } from '../../build/sources/mirrors.ts';

/** The machine that the doctor looks at. */
export interface Host {
  platform: NodeJS.Platform;
  /** As Node names it. */
  arch: string;
  /** os-release's ID and those of ID_LIKE, the nearest first: ['ubuntu', 'debian']. */
  distributions: string[];
  /** os-release's VERSION_ID; '' where there is none. */
  version: string;
  root: boolean;
  /** Where apt, if there is one, gets Debian from, and whether backports are among its suites. */
  apt: { mirror: string | undefined; backports: boolean };
  env: NodeJS.ProcessEnv;
}

export async function thisHost(): Promise<Host> {
  // os-release(5). A machine without it is none of the distributions that we know commands for.
  const text = await readFile('/etc/os-release', 'utf8').catch(() => '');
  return {
    platform: process.platform,
    arch: process.arch,
    ...distribution(text),
    root: process.getuid?.() === 0,
    apt: aptOf(aptSources()),
    env: process.env,
  };
}

export function aptOf(sources: readonly string[]): Host['apt'] {
  const text = sources.join('\n\n');
  const [mirror] = addresses(text, 'debian');
  return { mirror, backports: /^[^#]*-backports\b/m.test(text) };
}

export function distribution(osRelease: string): Pick<Host, 'distributions' | 'version'> {
  const field = (name: string): string =>
    new RegExp(`^${name}=["']?([^"'\\n]*)`, 'm').exec(osRelease)?.[1] ?? '';
  return {
    distributions: [field('ID'), ...field('ID_LIKE').split(' ')].filter(Boolean),
    version: field('VERSION_ID'),
  };
}

/** What Hearth runs on; undefined is everything that it was made for. */
export function unsupported({ platform, arch }: Host): { text: string; remedy: string } | undefined {
  if (platform === 'win32')
    return {
      text: 'Windows itself is not supported; its Linux (WSL 2) is',
      remedy: 'Run `wsl --install` in PowerShell, open Ubuntu, install Node there, and use fw in it.',
    };
  const known = ['linux', 'darwin'].includes(platform) && ['x64', 'arm64'].includes(arch);
  if (known) return undefined;
  return {
    text: `Hearth was never tried on ${platform}-${arch}`,
    remedy: 'Use Linux or macOS on x86_64 or arm64.',
  };
}
