import { type MessagePort, parentPort } from 'node:worker_threads';
import { logger } from '../logger/index.ts';
import { writeReport } from '../logger/reports.ts';
import { StartError } from '../process/errors.ts';
import { Message } from '../process/message.ts';
import { PendingCall } from '../process/pending-call.ts';
import type { ExitReason } from '../process/reason.ts';
import { onReport } from '../process/reports.ts';
import { handlerOf } from '../server/server.ts';
import { type ServerClass, ServerProcess } from '../server/server-process.ts';
import { start } from '../server/start.ts';
import { type FromWorker, type Question, reasonOf, type ToWorker, wireError, wireReason } from './wire.ts';

/** Runs the server in this thread, for the process in the other one that stands for it. */
export async function serve(kind: ServerClass, args: readonly unknown[]): Promise<void> {
  const parent = parentPort as MessagePort;
  const post = (message: FromWorker) => parent.postMessage(message);
  const known = new Set<ExitReason>();
  const ended = (reason: ExitReason) =>
    post({ kind: 'ended', reason: wireReason(reason), known: known.has(reason) });
  const answer = async (process: ServerProcess, question: Question) => {
    try {
      post({ kind: 'answer', value: await ask(process, question) });
    } catch (error) {
      const reason = error instanceof Refused ? error.reason : undefined;
      if (!(error instanceof Refused)) post({ kind: 'failed', error: wireError(error), fatal: false });
      else if (reason instanceof Error) {
        known.add(reason);
        post({ kind: 'failed', error: wireError(reason), fatal: true });
      }
      // Else its end is said by itself.
    }
  };
  try {
    const ref = await start(kind, { args: args as [] });
    const process = ref.process();
    if (!(process instanceof ServerProcess)) throw new TypeError(`${process} is not a server`);
    void ref.ended().then(ended);
    // Its own errors the other side reports; those of what it has started, nobody else knows.
    onReport((report) => {
      if (report.process !== process) writeReport(logger, report);
    });
    parent.on('message', (message: ToWorker) => {
      if (message.kind !== 'stop') {
        void answer(process, message);
        return;
      }
      const reason = reasonOf(message.reason);
      known.add(reason);
      process.exit(reason);
    });
    post({ kind: 'started' });
  } catch (error) {
    ended(error instanceof StartError ? error.reason : (error as Error));
  }
}

/** The server ended, or threw, instead of answering. An answer can be an error as well, also one like this. */
class Refused extends Error {
  readonly reason: ExitReason;
  constructor(reason: ExitReason) {
    super('refused');
    this.reason = reason;
  }
}

class Asked extends PendingCall {
  override refuse(reason: ExitReason): void {
    this.fail(new Refused(reason));
  }
}

/** Whatever it is, the other side waits until it is handled: the next one must stay where its bound is. */
function ask(process: ServerProcess, question: Question): Promise<unknown> {
  const { kind, name } = question;
  return new Promise((resolve, reject) => {
    const call = new Asked(process, name, Infinity, resolve, reject);
    if (kind === 'getState') process.admit(new Message('system', name, [() => process.getState()], call));
    else if (kind === 'setState')
      process.admit(new Message('system', name, [() => process.setState(question.value)], call));
    // Of a cast that has no handler nobody is told, here as anywhere.
    else if (kind === 'cast' && handlerOf(process.server, name) === undefined) call.answer(undefined);
    else process.admit(new Message(kind, name, question.args, call));
  });
}
