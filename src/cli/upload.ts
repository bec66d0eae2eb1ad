import { resolve } from 'node:path';
import type { Command } from 'commander';
import { cacheDir } from '../../bin/pinned-node.js';
import type { DeviceStatus } from '../device/api/status.ts';
import { FwError } from '../errors.ts';
import { type BuildOptions, buildProject } from './build.ts';
import { interruptible } from './interruptible.ts';
import { deviceVerb, linkTo, mayAsk } from './on-device.ts';
import { type Output, silent, terminalOutput } from './output.ts';
import { UploadReport, uploadedText } from './upload-text.ts';
import { printResult } from './verb.ts';

interface Options extends Omit<BuildOptions, 'out' | 'target'> {
  wait: boolean;
}

export function uploadCommand(): Command {
  return deviceVerb(
    'upload',
    'Send a firmware to a device over ssh, and wait until it is permanent or given up',
    [
      'fw upload hello.local                 builds the project in this folder for that device first',
      'fw upload root@192.168.1.7:22 hello-1.1.0-rpi4.fw',
      'fw upload hello.local --no-wait       ends when the device reboots to try it',
    ],
  )
    .summary('Send a firmware to a device, which tries it')
    .argument('[file.fw]', "the firmware; the default builds the project, for the device's target")
    .option('--app <dir>', 'the project', '.')
    .option('--offline', 'build without fetching anything')
    .option('--no-wait', 'do not wait for what becomes of it')
    .addHelpText(
      'after',
      `
Only what the device lacks is sent. Ends with status 0 when the firmware is
permanent there, or waits for fw validate where its configuration says so; with
1 when the device refuses it, has gone back to the one before, or stays away.`,
    )
    .action(async (host: string, file: string | undefined, options: Options) => {
      const out = options.json ? silent : terminalOutput();
      const result = await interruptible((signal) => run(host, file, { ...options, signal }, out)).finally(
        () => out.done(),
      );
      printResult(result, options, () => uploadedText(result));
      if (result.verdict?.result === 'reverted') process.exitCode = 1;
    });
}

async function run(
  host: string,
  file: string | undefined,
  options: Options & { signal: AbortSignal },
  out: Output,
) {
  const [link, { statusOf }, { upload }, { openFirmware }, known] = await Promise.all([
    linkTo(host),
    import('../links/device.ts'),
    import('../links/upload.ts'),
    import('../archive/open.ts'),
    knownFirmware(),
  ]);
  const ask = mayAsk(options);
  const { signal } = options;
  // Before the build: a device that is not there should be known of at once.
  const before = await statusOf(link, { mayAsk: ask, signal });
  await using fw = await openFirmware(await firmwareFor(before, file, options, out), { trust: 'self' });
  signal.throwIfAborted();
  const { product, version, uuid } = fw.manifest;
  out.line(`${host}: ${before.product} ${before.version} -> ${product} ${version}`);
  const report = new UploadReport(host, out);
  const uploaded = await upload(fw, link, before, {
    ...{ signal, mayAsk: ask, wait: options.wait },
    findOld: (running) => known.find(running),
    onWanted: (_, bytes) => report.wanted(bytes, fw.size),
    onSent: (done, total) => report.sent(done, total),
    onProgress: ({ done, total }) => report.readBack(done, total),
    onRebooting: async (sent) => {
      report.rebooting(sent);
      await known.keep(fw).catch((error: unknown) => {
        // The next update will be larger than it could be; this one is under way.
        if (!(error instanceof FwError)) throw error;
        out.warn(error.message);
      });
    },
    onStanding: (standing) => report.standing(standing),
  });
  return { host, product, to: { version, uuid }, path: fw.path, ...uploaded };
}

/** The file that was named, or one that is built for the board that the device is. */
async function firmwareFor(
  { target }: DeviceStatus,
  file: string | undefined,
  { wait: _, ...options }: Options,
  out: Output,
): Promise<string> {
  if (file !== undefined) return resolve(file);
  return (await buildProject({ ...options, target }, out)).path;
}

/** What was sent before, in the cache, which is kept within its limit here too: who only uploads never builds. */
async function knownFirmware() {
  const [{ KnownFirmware }, { Cache }, { cacheLimit, tendCache }] = await Promise.all([
    import('../build/cache/known-firmware.ts'),
    import('../build/cache.ts'),
    import('../build/cache/upkeep.ts'),
  ]);
  const limit = cacheLimit();
  const cache = new Cache(cacheDir());
  const known = new KnownFirmware(cache);
  return {
    find: (uuid: string) => known.find(uuid),
    async keep(fw: Parameters<typeof known.keep>[0]) {
      await known.keep(fw);
      await tendCache(cache, limit);
    },
  };
}
