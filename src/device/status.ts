import { renameSync, writeFileSync } from 'node:fs';
import type { DataState } from '../otp/device.ts';
import type { AppState } from './app/runner.ts';
import type { Lease } from './network/lease.ts';

/** `/run/hearth/status.json`: what is going on, for a shell on the device. */
export interface Status {
  app: AppState;
  data: DataState | 'preparing';
  network: Record<string, Lease>;
}

/** Events come in bursts; the file is for people. */
const SETTLE_MS = 100;

/** @returns a function that writes the file soon */
export function createStatusFile(path: string, status: () => Status): () => void {
  let pending = false;
  const write = (): void => {
    pending = false;
    try {
      writeFileSync(`${path}.new`, `${JSON.stringify(status())}\n`);
      renameSync(`${path}.new`, path);
    } catch {
      // /run is full: the device goes on without the file.
    }
  };
  return () => {
    if (!pending) setTimeout(write, SETTLE_MS);
    pending = true;
  };
}
