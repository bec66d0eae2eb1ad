import type { Channel } from '../update/transfer/send.ts';

/** What a verb on a device gave, as a program does. */
export interface Answer {
  status: number;
  output: string;
  errorOutput: string;
}

export interface CallOptions {
  /** For people who sit at a terminal: a carrier may ask them something (a passphrase, whether a key is right). */
  mayAsk?: boolean;
  timeoutMs?: number;
  signal?: AbortSignal;
}

/** A verb that goes on: bytes both ways. */
export interface Session extends Channel {
  /**
   * How it ended. Rejects when the carrier failed, not the verb.
   * @throws FwError as `call`
   */
  readonly ended: Promise<Answer>;
  /** Ends it, whatever it is doing. */
  close(): void;
}

/** A way to one device. SSH is one; what is above does not know which. */
export interface DeviceLink {
  /** For people: what they called the device. */
  readonly name: string;
  /**
   * Runs a verb of the device.
   * @throws FwError when the device is not reached, or the connection breaks
   */
  call(words: readonly string[], options?: CallOptions): Promise<Answer>;
  open(words: readonly string[], options?: CallOptions): Session;
}
