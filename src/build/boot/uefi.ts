import { FwError } from '../../errors.ts';
import { writeUki } from '../../formats/uki.ts';
import type { UefiBoot } from '../target.ts';
import { type BootInput, commandLine } from './cmdline.ts';

/**
 * The unified kernel image of a slot: systemd's stub, kernel, initramfs and command line in one PE file. Both
 * slots get the same bytes; heart learns its slot from the boot loader.
 */
export async function buildUki(input: BootInput, boot: UefiBoot): Promise<Uint8Array> {
  const { target, version } = input;
  const osRelease = [
    'ID=hearth',
    `NAME=${input.config.name}`,
    `PRETTY_NAME="${input.config.name} ${version}"`,
    `VERSION_ID=${version}`,
    `IMAGE_VERSION=${version}`,
    '',
  ].join('\n');
  const uki = writeUki({
    stub: await input.part('stub'),
    sections: [
      { name: '.osrel', bytes: Buffer.from(osRelease) },
      { name: '.cmdline', bytes: Buffer.from(commandLine(input)) },
      { name: '.linux', bytes: await input.part('kernel') },
      { name: '.initrd', bytes: await input.part('initramfs') },
    ],
  });
  if (uki.length > boot.slotSize) {
    throw new FwError(
      'boot-too-large',
      `the kernel image of ${target.name} is ${uki.length - boot.slotSize} bytes too large`,
      {
        where: 'the boot payload',
        expected: `at most ${boot.slotSize} bytes, the size of a boot slot`,
        remedy: "Take modules out of the target's `root` and `watchdog` lists.",
      },
    );
  }
  return uki;
}
