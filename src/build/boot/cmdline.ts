import type { ResolvedConfig } from '../../project/schema.ts';
import type { Target } from '../target.ts';

/** What boot payloads are made from. */
export interface BootInput {
  target: Target;
  config: ResolvedConfig;
  uuid: string;
  version: string;
  /** The system's parts: kernel, initramfs, boot loader, device trees. */
  part(name: string): Promise<Uint8Array>;
  /** The time stamp of everything that has one. */
  time: Date;
}

/** The kernel command line, slot aside; docs/device.md says what heart makes of it. */
export function commandLine({ target, config, uuid }: Pick<BootInput, 'target' | 'config' | 'uuid'>): string {
  const { console: mode, heart } = config;
  const words = [
    ...target.console.kernel.map((port) => `console=${port}`),
    // Warnings and worse reach the console; with 'none' only what ends in a panic.
    mode === 'none' ? 'quiet loglevel=1' : 'loglevel=4',
    'panic=5',
    'gpt',
    // Huge pages cost small machines twice: memory, and the 45 MB and more that the kernel then keeps free for them.
    'transparent_hugepage=never',
    `hearth.target=${target.name}`,
    `hearth.uuid=${uuid}`,
    `hearth.console=${mode}`,
    `hearth.beat=${heart.beatTimeoutSeconds}`,
    ...(mode === 'shell' ? [`hearth.shell=${target.console.shell}`] : []),
  ];
  return words.join(' ');
}
