import type { Call } from '../../otp/remote/session.ts';
import type { Device } from './device.ts';

export interface VerbContext {
  /** Behind the verb, options included; `--json` is taken out. */
  args: readonly string[];
  /** The link by which it came, e.g. `ssh`. */
  via: string;
  device: Device;
  streams: Pick<Call, 'input' | 'output' | 'errorOutput' | 'terminal'>;
  /** Something for the moment when the caller has its answer: what ends the connection, for example. */
  afterwards(work: () => void): void;
}

/** What a verb says: a value for programs, and the same in words. */
export interface Answer {
  value: unknown;
  text: string;
}

/** One thing that a device can be asked for, over every link. */
export interface DeviceVerb {
  name: string;
  /** Behind the name, for the list of verbs. */
  usage: string;
  help: string;
  /** @throws FwError; `bad-usage` for wrong arguments */
  run(context: VerbContext): Promise<Answer | undefined>;
}
