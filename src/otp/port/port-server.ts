import { ReplyError } from '../process/errors.ts';
import { Message } from '../process/message.ts';
import { PendingCall } from '../process/pending-call.ts';
import type { Process } from '../process/process.ts';
import type { ExitReason } from '../process/reason.ts';
import { report } from '../process/reports.ts';
import { Server } from '../server/server.ts';
import { type AnyPortOptions, type LineOptions, openPort, type Port, type PortOptions } from './port.ts';

/**
 * A server that owns a program: they live and die together. When the program ends with status 0 the server ends with
 * 'normal', otherwise with a `PortExitError` that has the status or signal and what the program said last; when the server
 * ends, the program is stopped, and when the server is killed, the program is, too.
 *
 * ```ts
 * class Thermometer extends PortServer<string> {
 *   override async init(device: string) {
 *     await this.open({ command: 'read-sensor', args: [device], line: 80 });
 *   }
 *   async celsius(): Promise<number> {
 *     await this.port.send('read');
 *     return Number(await this.port.receive(1_000));
 *   }
 * }
 * ```
 *
 * A class that overrides `output` gets frames as messages, one by one, between the others; then nothing else receives.
 */
export abstract class PortServer<F extends Buffer | string = Buffer> extends Server {
  #port: Port<F> | undefined;

  /** The program. @throws Error before `open` */
  protected get port(): Port<F> {
    if (this.#port) return this.#port;
    throw new Error('the program is not open: await this.open({ command: … }) in init');
  }

  /** Starts the program. Once, in `init`. @throws PortError */
  protected async open(options: PortOptions<F>): Promise<void> {
    if (this.#port) throw new Error('the program is open already: a server has one');
    const self = this.self.process();
    // A type parameter chooses no overload, and an overload for any `F` would explain every mistake of a user's in its own
    // terms. `PortOptions` says what the three say: which options give which frames.
    const port = (await openPort(options as AnyPortOptions as LineOptions)) as unknown as Port<F>;
    this.#port = port;
    if (!self.alive) {
      port.kill();
      return;
    }
    self.owns({ released: () => port.kill() });
    void this.#watch(port);
    if (this.output !== PortServer.prototype.output) void this.#pump(self, port);
  }

  /** Handles a frame. Overridden, it gets them all; the next one comes when what it returns is done. */
  protected output(_frame: F): unknown {
    return undefined;
  }

  /** Stops the program. A class that overrides this calls `super.terminate`; otherwise the program is killed. */
  override async terminate(_reason: ExitReason): Promise<void> {
    await this.#port?.stop();
  }

  async #watch(port: Port<F>): Promise<void> {
    const failure = await port.ended;
    // A handler that waits for the program fails with the same error, and is the one to be reported.
    await new Promise(setImmediate);
    if (!this.#pumping) this.stop(failure ?? 'normal');
  }

  #pumping = false;

  /** Frames become messages one at a time: those that wait do so in the pipe, not in the mailbox. */
  async #pump(self: Process, port: Port<F>): Promise<void> {
    this.#pumping = true;
    let failure: ExitReason = 'normal';
    try {
      for await (const frame of port) await deliver(self, frame);
    } catch (error) {
      failure = error as Error;
    }
    this.#pumping = false;
    // Ended itself, it says so itself.
    if (self.alive) this.stop(failure);
  }
}

async function deliver(self: Process, frame: unknown): Promise<void> {
  try {
    await new Promise((resolve, reject) => {
      const handled = new PendingCall(self, 'output', Infinity, resolve, reject);
      self.admit(new Message('call', 'output', [frame], handled));
    });
  } catch (error) {
    if (!(error instanceof ReplyError)) throw error;
    report({ kind: 'unanswered', process: self, error, message: undefined });
  }
}
