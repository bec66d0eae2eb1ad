import { resolve } from 'node:path';
import type { Command } from 'commander';
import type { TrustSource } from '../build/inspect/trust.ts';
import type { Verified } from '../build/inspect/verify.ts';
import { megabytes } from '../units.ts';
import { silent, terminalOutput } from './output.ts';
import { table } from './table.ts';
import { type CommonOptions, printResult, verb } from './verb.ts';

interface Options extends CommonOptions {
  key?: string[];
  app?: string;
}

export function verifyCommand(): Command {
  return verb('verify', 'Check a firmware as a device does: signature, every byte, the root', [
    'fw verify hello-1.0.0-rpi3.fw     is the key one of the project in this folder?',
    'fw verify hello.fw --key release.pub     is it this key?',
    'fw verify hello.fw && fw image hello.fw -o disk.img',
  ])
    .summary('Check a firmware as a device does: signature and every byte')
    .argument('<file.fw>', 'the firmware')
    .option(
      '--key <file>',
      "a public key to trust: a .pub file or a line 'ssh-ed25519 AAAA…'; may be given often",
      (key: string, before: string[] | undefined) => [...(before ?? []), key],
    )
    .option('--app <dir>', "the project whose updateKeys count; the default is this folder's, if it has one")
    .action(async (file: string, options: Options) => {
      const [{ findTrust, trustOf }, { verifyFirmware }] = await Promise.all([
        import('../build/inspect/trust.ts'),
        import('../build/inspect/verify.ts'),
      ]);
      const source = await findTrust({
        keys: options.key ?? [],
        ...(options.app ? { app: options.app } : {}),
      });
      const out = options.json ? silent : terminalOutput();
      const verified = await verifyFirmware(resolve(file), {
        trust: trustOf(source),
        onProgress: (progress) => out.progress(progress),
      }).finally(() => out.done());
      const { trust } = source;
      const megabytesPerSecond = Math.round(verified.size / 1e5 / verified.seconds) / 10;
      printResult({ ...verified, trust, megabytesPerSecond }, options, () =>
        [
          ...report(verified, source),
          `${megabytes(verified.size)} in ${verified.seconds.toFixed(1)} s, ${megabytesPerSecond} MB/s`,
        ].join('\n'),
      );
    });
}

function report(verified: Verified, source: TrustSource): string[] {
  const { signer, product, version, target, payloads, root } = verified;
  const rows = [
    ['signed by', signer.fingerprint],
    ...(signer.comment ? [['', signer.comment]] : []),
    ['', vouched(source)],
    ...(signer.exampleKey ? [['', 'the public example key: anyone can sign with it']] : []),
    ...payloads.map(({ name, size, chunks, slotSize }) => [
      name,
      `${megabytes(size)}, ${chunks} chunk${chunks === 1 ? '' : 's'}${slotSize ? `; its slot has ${megabytes(slotSize)}` : ''}`,
    ]),
    ['files', `${root.files} of the root, ${megabytes(root.size)}, all unpacked; its UUID is the manifest's`],
  ];
  return [
    `${product} ${version} for ${target} is whole, and as it was signed`,
    ...table(rows).map((line) => `  ${line}`),
  ];
}

function vouched(source: TrustSource): string {
  switch (source.trust) {
    case 'keys':
      return 'which --key names';
    case 'project':
      return `which is in updateKeys of ${source.configFile}`;
    case 'self':
      return 'which nobody vouched for: --key FILE says which key it should be';
  }
}
