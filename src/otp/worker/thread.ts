import { type MessagePort, parentPort } from 'node:worker_threads';
import { CallError, StartError } from '../process/errors.ts';
import type { ServerRef } from '../server/ref.ts';
import type { Server } from '../server/server.ts';
import type { ServerClass } from '../server/server-process.ts';
import { start } from '../server/start.ts';
import { type FromWorker, reasonOf, type ToWorker, wireError, wireReason } from './wire.ts';

/** Runs the server in this thread, for the process in the other one that stands for it. */
export async function serve(kind: ServerClass, args: readonly unknown[]): Promise<void> {
  const parent = parentPort as MessagePort;
  const post = (message: FromWorker) => parent.postMessage(message);
  try {
    const ref = (await start(kind, { args: args as [] })).within(Infinity);
    void ref.ended().then((reason) => post({ kind: 'ended', reason: wireReason(reason) }));
    parent.on('message', (message: ToWorker) => {
      if (message.kind === 'stop') ref.process().exit(reasonOf(message.reason));
      else void handle(ref, message, post);
    });
    post({ kind: 'started' });
  } catch (error) {
    const reason = error instanceof StartError ? error.reason : (error as Error);
    post({ kind: 'ended', reason: wireReason(reason) });
  }
}

async function handle(
  ref: ServerRef<Server>,
  { name, args }: { name: string; args: readonly unknown[] },
  post: (message: FromWorker) => void,
): Promise<void> {
  try {
    // Which methods it has, the types of the other side know.
    const call = ref.call as (name: string, ...args: readonly unknown[]) => Promise<unknown>;
    post({ kind: 'answer', value: await call.call(ref, name, ...args) });
  } catch (error) {
    // Its end is told with its reason, by itself.
    if (!(error instanceof CallError)) post({ kind: 'failed', error: wireError(error) });
  }
}
