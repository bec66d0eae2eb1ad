import type { Process } from '../process/process.ts';
import { ServerRef } from './ref.ts';
import type { Server } from './server.ts';
import { ServerProcess } from './server-process.ts';

/** A reference to a process of which the class is not known here: whoever asks for it says which it is. */
export function refOf<T extends Server>(process: Process): ServerRef<T> {
  return (process instanceof ServerProcess ? process.ref : new ServerRef(process)) as ServerRef<T>;
}
