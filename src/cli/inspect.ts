import { resolve } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { type CommonOptions, printResult, verb } from './verb.ts';

interface Options extends CommonOptions {
  files: number;
  sbom?: boolean;
}

const FILES_SHOWN = 10;

export function inspectCommand(): Command {
  return verb('inspect', 'Show what is in a firmware: sizes, files, packages, licences, keys', [
    'fw inspect hello-1.0.0-rpi3.fw',
    'fw inspect hello-1.0.0-rpi3.fw --files all     every file of the root, by its size',
    'fw inspect hello-1.0.0-rpi3.fw --sbom > hello.cdx.json     bill of materials',
  ])
    .summary('Show what is in a firmware: sizes, files, packages, keys')
    .argument('<file.fw>', 'the firmware, for any target, signed by anybody')
    .option('--files <count>', "how many of the largest files to list, or 'all'", fileCount, FILES_SHOWN)
    .option('--sbom', 'print the bill of materials, as CycloneDX 1.6 JSON')
    .action(async (file: string, options: Options) => {
      const [{ inspectFirmware }, { sbomOf }, { inspectionText }] = await Promise.all([
        import('../build/inspect/index.ts'),
        import('../build/inspect/sbom.ts'),
        import('./inspect-text.ts'),
      ]);
      const inspection = await inspectFirmware(resolve(file));
      if (options.sbom) {
        const sbom = sbomOf(inspection);
        printResult(sbom, options, () => JSON.stringify(sbom, null, 2));
      } else
        printResult(inspection, options, () =>
          inspectionText(inspection, { files: options.files, width: process.stdout.columns }),
        );
    });
}

function fileCount(text: string): number {
  if (text === 'all') return Number.POSITIVE_INFINITY;
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new InvalidArgumentError("It must be a whole number, or 'all'.");
}
