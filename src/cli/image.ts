import { resolve } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { parseSize } from '../project/size.ts';
import { megabytes } from '../units.ts';
import { silent, terminalOutput } from './output.ts';
import { type CommonOptions, printResult, verb } from './verb.ts';

interface Options extends CommonOptions {
  output: string;
  size?: number;
}

export function imageCommand(): Command {
  return verb('image', 'Make the image of a whole disk from a firmware', [
    'fw image hello-1.0.0-x86_64.fw -o disk.img --size 4GiB    with room for /data',
    'fw image hello-1.0.0-rpi3.fw -o card.img    to be copied onto an SD card',
  ])
    .argument('<file.fw>', 'the firmware')
    .requiredOption('-o, --output <disk.img>', 'the image')
    .option(
      '--size <size>',
      "of the whole disk, bytes or '4 GiB'; the default is the least that fits",
      diskSize,
    )
    .action(async (file: string, options: Options) => {
      const { writeImage } = await import('../build/image.ts');
      const out = options.json ? silent : terminalOutput();
      const result = await writeImage(resolve(file), resolve(options.output), {
        ...(options.size ? { size: options.size } : {}),
        onProgress: (progress) => out.progress(progress),
      }).finally(() => out.done());
      printResult(
        result,
        options,
        () => `${result.path}  ${megabytes(result.size)} disk, ${megabytes(result.written)} written`,
      );
    });
}

export function diskSize(text: string): number {
  const bytes = /^\d+$/.test(text) ? Number(text) : parseSize(text);
  if (bytes && Number.isSafeInteger(bytes)) return bytes;
  throw new InvalidArgumentError("It must be bytes, or a size such as '512MiB' or '4 GiB'.");
}
