import type { Development } from '../dev/development.ts';
import type { Update } from '../update/server.ts';
import type { DeviceStatus } from './status.ts';

type Updates = Pick<Update, 'reached'>;

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
  /** When the device goes down, /data is forgotten. */
  forgetData(): Promise<void>;
}
