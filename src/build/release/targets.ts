import { FwError } from '../../errors.ts';
import { nearest } from '../../project/nearest.ts';
import type { Arch } from '../target.ts';

/** What a release can be made for: the machine, and the board whose lock pins the Node for it. */
const TARGETS = {
  linux_x64: { arch: 'x86_64', board: 'x86_64' },
  linux_arm64: { arch: 'aarch64', board: 'rpi3' },
} as const satisfies Record<string, { arch: Arch; board: string }>;

export type ReleaseTarget = keyof typeof TARGETS;

export const RELEASE_TARGETS = Object.keys(TARGETS) as ReleaseTarget[];

/** @throws FwError `unknown-release-target` */
export function releaseTarget(name: string): { name: ReleaseTarget; arch: Arch; board: string } {
  const known = RELEASE_TARGETS.find((each) => each === name);
  if (known) return { name: known, ...TARGETS[known] };
  const guess = nearest(name, RELEASE_TARGETS);
  throw new FwError('unknown-release-target', `there is no release for '${name}'`, {
    where: '--target',
    expected: `one of ${RELEASE_TARGETS.join(', ')}`,
    remedy: guess ? `Did you mean ${guess}?` : 'Choose one of these; boards are for `fw build`.',
  });
}
