import { createHash } from 'node:crypto';
import { promisify } from 'node:util';
import { deflate } from 'node:zlib';
import {
  DEV_FRAME,
  MOST_CODE,
  type Push,
  parseState,
  parseWelcome,
  readDevFrames,
  type ToldState,
  type Welcome,
} from '../device/dev/frame.ts';
import { FwError } from '../errors.ts';
import { encodeFrame, encodeJson } from '../update/transfer/frame.ts';
import { parseRefusal } from '../update/transfer/messages.ts';
import { failureOf } from './device.ts';
import type { DeviceLink, Session } from './link.ts';

export interface DevEvents {
  /** A line that the app wrote. */
  onOutput(line: string): void;
  /** What hearthd says of the app. */
  onReport(message: string): void;
  /** The pushed code is there, and the app before it has stopped. */
  onPushed(bytes: number): void;
  /** The app's; after `onPushed`, that of the pushed code. */
  onState(state: ToldState): void;
}

export interface DevOptions {
  mayAsk?: boolean;
  /** Ends it. */
  signal: AbortSignal;
}

export type About = Pick<Push, 'addons' | 'config'>;

const DEV = ['dev'];
const PIECE = 256 * 1024;
const END = new Uint8Array();

/** One session with a device for as long as somebody works on its app: code goes there, and what the app does comes back. */
export class DevSession {
  /** What is there. */
  readonly welcome: Welcome;
  /** Rejects with what has ended it, if that was not the signal. */
  readonly ended: Promise<void>;
  readonly #session: Session;
  #pushing: (PromiseWithResolvers<void> & { bytes: number }) | undefined;

  private constructor(welcome: Welcome, session: Session, ended: (self: DevSession) => Promise<void>) {
    this.welcome = welcome;
    this.#session = session;
    this.ended = ended(this);
    // Whoever works with it is told; at the latest when they push.
    this.ended.catch(() => {});
  }

  /** @throws FwError as the device refuses it (`dev-refused`, `dev-on-trial`), or as the link fails */
  static async open(
    link: DeviceLink,
    { mayAsk = false, signal }: DevOptions,
    events: DevEvents,
  ): Promise<DevSession> {
    const session = link.open(DEV, { mayAsk });
    const close = (): void => session.close();
    signal.addEventListener('abort', close, { once: true });
    const frames = readDevFrames(session.incoming);
    try {
      const { value: first } = await frames.next();
      if (first?.type === DEV_FRAME.refused) throw parseRefusal(first.payload);
      if (first?.type !== DEV_FRAME.welcome) throw failureOf(link.name, DEV, await session.ended);
      return new DevSession(parseWelcome(first.payload), session, async (self) => {
        try {
          for await (const { type, payload } of frames) self.#hear(type, payload, events);
          if (!signal.aborted) throw failureOf(link.name, DEV, await session.ended);
        } catch (error) {
          if (signal.aborted) return;
          self.#pushing?.reject(error);
          throw error;
        } finally {
          signal.removeEventListener('abort', close);
          session.close();
        }
      });
    } catch (error) {
      signal.removeEventListener('abort', close);
      session.close();
      signal.throwIfAborted();
      throw error;
    }
  }

  /**
   * Has the app there be this code. Resolves some time after `onPushed`.
   * @throws FwError as the device refuses it: `dev-addons-missing`; `dev-too-large`
   */
  async push(code: Uint8Array, about: About): Promise<void> {
    if (code.length > MOST_CODE) throw tooLarge(code.length);
    const deflated: Buffer = await promisify(deflate)(code);
    const sha256 = createHash('sha256').update(code).digest('hex');
    const push: Push = { ...about, sha256, size: code.length };
    this.#pushing = { ...Promise.withResolvers<void>(), bytes: deflated.length };
    const answered = Promise.race([this.#pushing.promise, this.ended]);
    // It may come before all has been written.
    answered.catch(() => {});
    try {
      await this.#write(push, deflated);
    } catch (error) {
      // Why nothing can be written any more is what the end of the session tells.
      await this.ended;
      throw error;
    }
    await answered;
  }

  async #write(push: Push, deflated: Buffer): Promise<void> {
    await this.#session.write(encodeJson(DEV_FRAME.push, push));
    for (let at = 0; at < deflated.length; at += PIECE)
      await this.#session.write(encodeFrame(DEV_FRAME.code, deflated.subarray(at, at + PIECE)));
    await this.#session.write(encodeFrame(DEV_FRAME.run, END));
  }

  #hear(type: number, payload: Buffer, events: DevEvents): void {
    if (type === DEV_FRAME.output) events.onOutput(payload.toString());
    else if (type === DEV_FRAME.report) events.onReport(payload.toString());
    else if (type === DEV_FRAME.state) events.onState(parseState(payload));
    else if (type === DEV_FRAME.refused) this.#pushing?.reject(parseRefusal(payload));
    else if (type === DEV_FRAME.started && this.#pushing) {
      // At once: in the same piece there may be what the pushed code does next.
      events.onPushed(this.#pushing.bytes);
      this.#pushing.resolve();
    }
  }
}

function tooLarge(size: number): FwError {
  return new FwError('dev-too-large', `the app is ${(size / 2 ** 20).toFixed(1)} MiB with its source map`, {
    expected: `at most ${MOST_CODE / 2 ** 20} MiB, which a device is to hold in its memory`,
    remedy: 'Install it as a firmware: fw upload HOST.',
  });
}
