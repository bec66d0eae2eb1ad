import * as z from 'zod';
import { FwError } from '../../errors.ts';
import { type Frame, readFramesOf } from '../../update/transfer/frame.ts';

/** What `fw dev` and a device say to each other, in frames as an update's: for as long as somebody works on the app. */
export const DEV_FRAME = {
  /** To the device: code follows. JSON, `Push`. */
  push: 32,
  /** To the device: a piece of the code, which is deflated (RFC 1950) as a whole. */
  code: 33,
  /** To the device: that was all of it; it is to run. */
  run: 34,
  /** From the device, first: what it is. JSON, `Welcome`. */
  welcome: 48,
  /** From the device: the app has stopped, and starts with the code that was pushed last. States that follow are that one's. */
  started: 49,
  /** From the device: code that it does not take, or the whole session. JSON, `Refusal`. */
  refused: 50,
  /** From the device: a line that the app wrote. */
  output: 51,
  /** From the device: what is said of the app. */
  report: 52,
  /** From the device: JSON, `AppState`. */
  state: 53,
} as const;

export type DevFrameType = (typeof DEV_FRAME)[keyof typeof DEV_FRAME];

const TYPES: ReadonlySet<DevFrameType> = new Set(Object.values(DEV_FRAME));

export function readDevFrames(
  source: AsyncIterable<Uint8Array>,
): AsyncGenerator<Frame<DevFrameType>, void, undefined> {
  return readFramesOf(TYPES, source);
}

/** Bytes of an app's code with its source map. It is in the device's memory once deflated and once not, for a moment. */
export const MOST_CODE = 32 * 1024 * 1024;

const push = z.object({
  /** Of the code, not deflated, in hexadecimal. */
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  /** Bytes of the code, not deflated. */
  size: z.int().min(1).max(MOST_CODE),
  /** Native addons that the code loads from beside itself. */
  addons: z.array(z.string()),
  /** `config` of fw.config.ts. */
  config: z.record(z.string(), z.json()),
});
const welcome = z.object({ product: z.string(), version: z.string(), target: z.string() });
const state = z.object({ name: z.string(), pid: z.number().optional(), reason: z.string().optional() });

export type Push = z.infer<typeof push>;
export type Welcome = z.infer<typeof welcome>;
export type ToldState = z.infer<typeof state>;

export const parsePush = (payload: Uint8Array): Push => parsed(push, payload);
export const parseWelcome = (payload: Uint8Array): Welcome => parsed(welcome, payload);
export const parseState = (payload: Uint8Array): ToldState => parsed(state, payload);

function parsed<T>(schema: z.ZodType<T>, payload: Uint8Array): T {
  try {
    return schema.parse(JSON.parse(Buffer.from(payload).toString('utf8')));
  } catch (cause) {
    throw new FwError('dev-garbled', 'fw and the device do not understand each other', {
      expected: 'frames of the same version of hearthfw',
      remedy: 'Install a firmware that is built with this fw: fw upload HOST.',
      cause,
    });
  }
}
