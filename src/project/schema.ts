import * as z from 'zod';
import { parsePublicKey } from '../archive/public-key.ts';
import { isVersion } from '../archive/version.ts';
import { parseSize } from './size.ts';

/** The fields of fw.config.ts. Descriptions are what the reference documentation says. */

const name = z
  .string()
  .regex(
    /^[a-z]([a-z0-9-]{0,29}[a-z0-9])?$/,
    'must be 1 to 31 lower-case letters, digits and dashes, starting with a letter and not ending with a dash',
  );
const semver = z.string().refine(isVersion, 'must be a semantic version such as 1.4.0');
const ms = z.int().positive();
const publicKey = z.string().superRefine((line, context) => {
  try {
    parsePublicKey(line);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    context.addIssue(`must be an OpenSSH public key line, 'ssh-ed25519 AAAA… comment': ${why}`);
  }
});
const sshKey = z
  .string()
  .regex(/^(ssh|ecdsa|sk)-[^ ]+ [A-Za-z0-9+/]+=*( .*)?$/, 'must be an OpenSSH public key line');
const SIZE_TEXT = "must be bytes, or a text such as '512 MiB'";
// ext4's own tables and its journal take more than 1 MiB of it.
const LEAST_DATA = 8 * 1024 * 1024;
const LEAST_DATA_TEXT = 'must be at least 8 MiB';
const json: z.ZodType<Json> = z.lazy(() =>
  z.union(
    [z.string(), z.number(), z.boolean(), z.null(), z.array(json), z.record(z.string(), json)],
    'must be what JSON can say: a text, a finite number, true, false, null, an array or an object',
  ),
);
export type Json = string | number | boolean | null | Json[] | { [key: string]: Json };

export const appSchema = z.strictObject({
  entry: z.string().min(1).describe('The module that starts the app, relative to the project.'),
  beatTimeoutMs: ms
    .default(30_000)
    .describe('An event loop that stands still for so long is killed and started again.'),
  maxRestarts: z
    .int()
    .min(0)
    .default(5)
    .describe('So many restarts within restartWindowMs are allowed; one more makes the app `failed`.'),
  restartWindowMs: ms.default(60_000).describe('The window of maxRestarts.'),
  stopTimeoutMs: ms.default(5_000).describe('How long the app may take to stop before it is killed.'),
  onUnhealthy: z
    .enum(['stay', 'reboot'])
    .default('stay')
    .describe('What happens when the app is `failed`: the device stays up, or reboots.'),
  env: z
    .record(
      z.string().regex(/^[A-Za-z_][A-Za-z0-9_]*$/, 'must be the name of an environment variable'),
      z.string(),
    )
    .default({})
    .describe('Environment variables of the app; `config/runtime.ts` reads and checks them.'),
  nodeArgs: z.array(z.string()).default([]).describe('Arguments of node itself, before the app.'),
});

export const networkSchema = z.strictObject({
  hostname: name.optional().describe('The host name, made as `name` is; the default is `name`.'),
  dhcp: z.boolean().default(true).describe('Ask for an address on every wired interface.'),
});

export const updateSchema = z
  .strictObject({
    healthySeconds: z
      .int()
      .min(1)
      .default(30)
      .describe('The app must be healthy for so long without a break.'),
    trialSeconds: z
      .int()
      .min(1)
      .default(300)
      .describe('A new firmware that is not made permanent within so long from its start is given up.'),
    validate: z
      .enum(['auto', 'manual'])
      .default('auto')
      .describe(
        "'auto': it is made permanent when the app has been healthy and the device has been reached over the link by which the update came. 'manual': when somebody says so, `ssh HOST validate`.",
      ),
  })
  .refine(({ healthySeconds, trialSeconds }) => healthySeconds < trialSeconds, {
    error: 'must be less than trialSeconds, or no update could ever be made permanent',
    path: ['healthySeconds'],
  });

export const configSchema = z.strictObject({
  name: name.describe(
    'What the product is called: 1 to 31 lower-case letters, digits and dashes. A device only takes updates of its own product.',
  ),
  version: semver.describe('The version of this firmware, by semver.org: `1.4.0`, `2.0.0-rc.1`.'),
  app: z
    .union([z.string().min(1, 'must not be empty'), appSchema], 'must be a path, or an object with `entry`')
    .describe('The module that starts the app, or an object with more to say.'),
  targets: z
    .array(z.string())
    .min(1)
    .describe('The boards that this project is built for; the first is the default.'),
  console: z
    .enum(['none', 'log', 'shell'])
    .default('log')
    .describe(
      "What the serial console shows. 'shell' adds a root shell on a second serial port; it needs `dev: true`.",
    ),
  dev: z
    .boolean()
    .default(false)
    .describe(
      'A development firmware: root shells and live code are allowed, and its code is built with `FW_ENV` `dev`, not `prod`. Never ship one.',
    ),
  network: networkSchema.default({ dhcp: true }).describe('The wired network.'),
  sshKeys: z
    .array(sshKey)
    .default([])
    .describe(
      'Public keys (lines of OpenSSH) that may log in to the device by SSH, as `root`. Without one SSH stays closed.',
    ),
  updateKeys: z
    .array(publicKey)
    .min(1)
    .describe(
      'Public keys (ssh-ed25519) whose signatures this firmware accepts on updates. The build signs with the private half of one of them.',
    ),
  versionFloor: semver
    .optional()
    .describe(
      'Once this firmware has been made permanent, the device takes none below this version. It only ever rises.',
    ),
  update: updateSchema
    .default({ healthySeconds: 30, trialSeconds: 300, validate: 'auto' })
    .describe('When a new firmware is made permanent.'),
  signingKey: z
    .string()
    .optional()
    .describe(
      'The private key file that signs, relative to the project. Without it the key is looked for as said below.',
    ),
  dataSize: z
    .union(
      [
        z.int().min(LEAST_DATA, LEAST_DATA_TEXT),
        z
          .string()
          .refine((text) => parseSize(text) !== undefined, { error: SIZE_TEXT, abort: true })
          .refine((text) => (parseSize(text) ?? 0) >= LEAST_DATA, LEAST_DATA_TEXT),
      ],
      SIZE_TEXT,
    )
    .default('64 MiB')
    .describe(
      "The least size of the data partition, in bytes or as '512 MiB' or '2 GiB'; at least 8 MiB. It grows to fill the disk.",
    ),
  config: z.record(z.string(), json).default({}).describe('Values for the app, read there with `config`.'),
  heart: z
    .strictObject({
      beatTimeoutSeconds: z
        .int()
        .min(1)
        .max(3600)
        .default(10)
        .describe('hearthd is killed and restarted when it has not beaten for so long.'),
    })
    .default({ beatTimeoutSeconds: 10 })
    .describe('How heart, PID 1 of the device, watches over hearthd.'),
});

/** What a project writes. */
export type FirmwareConfig = z.input<typeof configSchema>;
/** What the build works with: every default filled in. */
export type ResolvedConfig = Omit<z.output<typeof configSchema>, 'app' | 'dataSize'> & {
  app: z.output<typeof appSchema>;
  /** Bytes. */
  dataSize: number;
};
