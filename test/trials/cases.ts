import { file, insert } from '../../src/build/tree.ts';
import { MiB } from '../../src/update/layout.ts';
import { badAndNoRoot, badLater, bothBad, noRootAndBad } from './afterwards.ts';
import { changedRoot, corrupt, missing, truncatedRoot, zeroRoot } from './damage.ts';
import type { Target } from './device.ts';
import { type Recipe, RULES } from './forge.ts';
import { fileAt, folderOf, HEARTHD, prepend } from './tree.ts';
import { type Fate, type Outcome, type Scene, stays, tryBad } from './trial.ts';

/** A fault, by its number in the list of faults, and what must become of a device that is given it. */
export interface Case {
  name: string;
  title: string;
  /** Default: all. */
  targets?: readonly Target[];
  /** Too slow for CI. An emulated card moves 2 MB a second: a whole root on it is. */
  slow?: true | 'rpi3';
  /** The device is not to be used any more afterwards. */
  last?: true;
  play(scene: Scene): Promise<Outcome>;
}

interface Reverted extends Recipe, Fate {}

/** A firmware that does not pass its trial. */
function gone(
  name: string,
  title: string,
  { ends, reason, ...recipe }: Reverted,
  rest: Pick<Case, 'targets' | 'slow'> = {},
): Case {
  return {
    ...{ name, title, ...rest },
    play: async (scene) => tryBad(scene.device, await scene.build(recipe), { ends, reason }),
  };
}

const NODE = 'usr/bin/node';
const DID_NOT_START = /^it did not start: its kernel was not reached, or ended early$/;
/** Short, and yet a boot on a loaded computer fits. */
const SHORT_TRIAL = { healthySeconds: 2, trialSeconds: 150, validate: 'auto' } as const;
const FRAGILE = { entry: './src/app.ts', maxRestarts: 1 };

export const CASES: readonly Case[] = [
  gone('S1-zeros', 'a root that is all zeros', {
    damage: () => zeroRoot(16 * MiB),
    ends: 'itself',
    reason: /^it did not come up \(reboot: no root\)$/,
  }),
  gone('S1-truncated', 'a root that ends after 5 MB', {
    damage: () => truncatedRoot(5 * MiB),
    ends: 'itself',
    reason: /^it did not come up \(reboot: no root\)$/,
  }),
  gone('S2-kernel-missing', 'no kernel', {
    damage: () => missing('kernel'),
    // What is no kernel image is no entry: systemd-boot starts the preferred one.
    ends: { uefi: 'loader', pi: 'somebody' },
    reason: DID_NOT_START,
  }),
  gone('S2-kernel-corrupt', 'a kernel of noise', {
    damage: () => corrupt('kernel'),
    ends: 'somebody',
    reason: DID_NOT_START,
  }),
  gone('S2-initramfs-corrupt', 'an initramfs of noise', {
    damage: () => corrupt('initramfs'),
    ends: 'itself',
    reason: DID_NOT_START,
  }),
  gone(
    'S2-dtb-missing',
    'no device tree',
    {
      damage: () => missing('device tree'),
      ends: 'somebody',
      reason: DID_NOT_START,
    },
    { targets: ['rpi3'] },
  ),
  gone(
    'S3',
    'healthy, but without a network',
    {
      config: { update: SHORT_TRIAL },
      damage: (cache) =>
        changedRoot(cache, (root) =>
          insert(root, 'usr/lib/hearth/udhcpc.script', file('#!/bin/sh\nexit 1\n', 0o755)),
        ),
      ends: 'itself',
      reason: /^nobody came back by ssh within 150 s$/,
    },
    { slow: true },
  ),
  gone(
    'S4',
    'an app that crashes at every start',
    {
      app: "setTimeout(() => { throw new Error('out of milk'); }, 100);\n",
      config: { app: FRAGILE },
      ends: 'itself',
      reason: /^the app has failed: .*out of milk/,
    },
    { slow: 'rpi3' },
  ),
  gone(
    'S5',
    'an app that is healthy, and then hangs in a busy loop',
    {
      app: "import { run } from 'hearthfw';\nrun(() => void setTimeout(() => { for (;;); }, 500));\n",
      // Long enough for a slow machine to hear late what was said before the hang.
      config: { app: { ...FRAGILE, beatTimeoutMs: 5_000 }, update: { ...RULES, healthySeconds: 15 } },
      ends: 'itself',
      reason: /^the app has failed: the app was killed: its event loop stood still for 5000 ms$/,
    },
    { slow: 'rpi3' },
  ),
  gone(
    'S6',
    'hearthd dies at once',
    {
      damage: (cache) =>
        changedRoot(cache, (root) => prepend(root, HEARTHD, "throw new Error('no hearth');\n")),
      ends: 'itself',
      reason: /^hearthd ended with status 1$/,
    },
    { slow: 'rpi3' },
  ),
  gone(
    'S7',
    'hearthd hangs',
    {
      damage: (cache) =>
        changedRoot(cache, (root) => prepend(root, HEARTHD, '\nsetTimeout(() => { for (;;); }, 3000);\n')),
      config: { heart: { beatTimeoutSeconds: 10 } },
      ends: 'itself',
      reason: /^hearthd has not beaten for 1\d{4} ms$/,
    },
    { slow: 'rpi3' },
  ),
  gone(
    'S8-missing',
    'there is no node to run hearthd with',
    {
      damage: (cache) => changedRoot(cache, (root) => void folderOf(root, NODE).delete('node')),
      ends: 'itself',
      reason: /^hearthd ended with status 127$/,
    },
    { slow: 'rpi3' },
  ),
  gone(
    'S8-not-executable',
    'the node for hearthd may not be executed',
    {
      damage: (cache) =>
        changedRoot(cache, (root) => {
          fileAt(root, NODE).mode = 0o644;
        }),
      ends: 'itself',
      reason: /^hearthd ended with status 126$/,
    },
    { slow: 'rpi3' },
  ),
  { name: 'good', title: 'nothing is wrong with it', slow: 'rpi3', play: stays },
  { name: 'S9', title: 'good when validated, bad a day later', slow: true, play: badLater },
  { name: 'S10', title: 'both slots are bad', slow: true, last: true, play: bothBad },
  {
    name: 'S10-no-root',
    title: 'the heart of one slot is damaged, the other slot is bad',
    ...{ slow: true, last: true, play: noRootAndBad },
  },
  {
    name: 'S10-other-no-root',
    title: 'one slot is bad, the heart of the other slot is damaged',
    ...{ slow: true, last: true, play: badAndNoRoot },
  },
];
