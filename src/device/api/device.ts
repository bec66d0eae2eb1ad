import type { Development } from '../dev/development.ts';
import type { OperatorKey } from '../ssh/operator-keys.ts';
import type { Update } from '../update/server.ts';
import type { DeviceStatus } from './status.ts';

type Updates = Pick<Update, 'reached'>;

export interface Hostname {
  hostname: string;
  serial: string;
  /** `firmware`: as its fw.config.ts has it. `device`: given to this one device. */
  from: 'firmware' | 'device';
}

/** What the verbs of a device do it with, whatever link they came by. */
export interface Device {
  readonly product: string;
  readonly version: string;
  readonly uuid: string;
  status(): Promise<DeviceStatus>;
  updates: {
    /** @returns the version that is staged now */
    receive(incoming: Parameters<Update['receive']>[0]): Promise<string>;
    try(): Promise<void>;
    validate(reason: string): Promise<void>;
    revert(reason: string): Promise<void>;
    reached(...args: Parameters<Updates['reached']>): void;
  };
  /** @param reason what the next boot tells */
  goDown(how: 'reboot' | 'power-off', reason: string): void;
  /** Work on the app where it runs. Missing on a device that is not for that. */
  development?: Development | undefined;
  /** Who may log in by SSH. */
  keys: {
    list(): Promise<OperatorKey[]>;
    /** From the next login on. Whether it is new. @throws FwError */
    add(line: string): Promise<boolean>;
    /** @param which a fingerprint or a comment. @returns the one that is gone. @throws FwError */
    remove(which: string): Promise<OperatorKey[]>;
  };
  hostname: {
    read(): Promise<Hostname>;
    /** @param hostname undefined: the firmware's again. @throws FwError `bad-hostname` */
    give(hostname: string | undefined): Promise<Hostname>;
  };
  /** The next boot begins with an empty /data. */
  forgetData(): Promise<void>;
}
