import type { PendingCall } from './pending-call.ts';

/** What lies in a mailbox. One shape for all kinds: the code that handles them stays fast. */
export class Message {
  readonly kind: 'call' | 'cast' | 'info' | 'system';
  /** The handler's name, of a call or a cast; '' otherwise. */
  readonly name: string;
  /** The handler's arguments; of an info, the message alone; of a system message, the function to run. */
  readonly args: readonly unknown[];
  /** Who waits for the answer, of a call. */
  readonly call: PendingCall | undefined;

  constructor(kind: Message['kind'], name: string, args: readonly unknown[], call?: PendingCall) {
    this.kind = kind;
    this.name = name;
    this.args = args;
    this.call = call;
  }
}
