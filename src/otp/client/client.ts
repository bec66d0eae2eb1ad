import { MAX_TIMER_MS } from '../process/deadlines.ts';
import { type ExitReason, thrownReason } from '../process/reason.ts';
import { Server } from '../server/server.ts';

export interface ClientTimes {
  /** How long `connect` may take. */
  connectMs: number;
  /** From one look at its health to the next. */
  healthMs: number;
  /** How long a look may take before it counts as failed. */
  healthyWithinMs: number;
  /** How many looks in a row must fail. */
  failures: number;
  /** How long `disconnect` may take; then the client is left to itself. */
  disconnectMs: number;
}

export const CLIENT_TIMES: Readonly<ClientTimes> = {
  ...{ connectMs: 10_000, healthMs: 15_000, healthyWithinMs: 5_000 },
  ...{ failures: 1, disconnectMs: 2_000 },
};

/** Why a client's server ended: its supervisor starts another, which connects anew. */
export class ClientError extends Error {
  readonly code: 'connect-timeout' | 'unhealthy';
  constructor(code: ClientError['code'], message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'ClientError';
    this.code = code;
  }
}

/**
 * Supervises an ordinary client of npm: a connection to a database, a broker, a driver. It starts when `connect` is done, is
 * looked at every while, and ends with an error when it is not well: its supervisor starts it anew.
 *
 * ```ts
 * class Db extends Client<pg.Client> {
 *   async connect() {
 *     const client = new pg.Client();
 *     client.on('error', (error) => this.failed(error));
 *     await client.connect();
 *     return client;
 *   }
 *   override healthy(client: pg.Client) {
 *     return client.query('select 1').then(() => true);
 *   }
 *   override disconnect(client: pg.Client) {
 *     return client.end();
 *   }
 *   count() {
 *     return this.use((client) => client.query('select count(*) from todo'));
 *   }
 * }
 * ```
 */
export abstract class Client<C> extends Server {
  #client: { value: C } | undefined;
  #failedInARow = 0;
  #timer: NodeJS.Timeout | undefined;

  /** Other times than `CLIENT_TIMES`. */
  protected get times(): Partial<ClientTimes> {
    return {};
  }

  /** Makes the client, ready to be used. Aborted when it takes too long, or is not wanted any more. */
  protected abstract connect(signal: AbortSignal): C | Promise<C>;

  /** Whether it still works; to throw means no. The default thinks so. */
  protected healthy(_client: C): unknown {
    return true;
  }

  /** Ends it. The default does nothing. */
  protected disconnect(_client: C): unknown {
    return undefined;
  }

  /** A class that takes arguments overrides this, keeps them, and calls it. */
  override async init(..._args: never[]): Promise<void> {
    const { connectMs } = this.#times;
    const cut = new AbortController();
    const connecting = Promise.resolve(this.connect(AbortSignal.any([this.signal, cut.signal])));
    try {
      this.#client = { value: await inTime(connecting, connectMs, this.signal) };
    } catch (error) {
      cut.abort(error);
      // It may succeed after all: what nobody knows of must not stay connected.
      connecting.then((late) => this.#disconnect(late)).catch(() => undefined);
      if (error !== LATE) throw error;
      throw new ClientError('connect-timeout', `connect took longer than ${connectMs} ms`);
    }
    this.self.process().owns({
      released: () => {
        clearTimeout(this.#timer);
        // Killed: nobody waits for it, but what is connected must not stay so.
        this.terminate('killed').catch(() => undefined);
      },
    });
    this.#lookAgain();
  }

  /** The client, for handlers. */
  protected get client(): C {
    if (this.#client) return this.#client.value;
    throw new Error('the client is not connected: a class with an init of its own calls super.init()');
  }

  /**
   * What a handler returns to work with the client while other messages are handled; what it throws is the answer to its
   * caller, and does not end the server.
   */
  protected use<R>(work: (client: C) => R | Promise<R>) {
    const { client } = this;
    return this.later(new Promise<R>((resolve) => resolve(work(client))));
  }

  /** The client itself says that it is broken, as in its 'error' event: the server ends with that. */
  protected failed(error: Error): void {
    this.stop(error);
  }

  override async terminate(_reason: ExitReason): Promise<void> {
    const connected = this.#client;
    this.#client = undefined;
    if (connected) await this.#disconnect(connected.value);
  }

  get #times(): ClientTimes {
    return { ...CLIENT_TIMES, ...this.times };
  }

  #lookAgain(): void {
    const { healthMs } = this.#times;
    if (healthMs === Infinity) return;
    this.#timer = setTimeout(() => void this.#look(), Math.min(healthMs, MAX_TIMER_MS));
  }

  /** Beside the mailbox: a handler that hangs in the client must not hide that the client hangs. */
  async #look(): Promise<void> {
    const connected = this.#client;
    if (!connected) return;
    const { healthyWithinMs, failures } = this.#times;
    try {
      const looking = Promise.resolve(this.healthy(connected.value));
      if ((await inTime(looking, healthyWithinMs, this.signal)) === false)
        throw new Error('healthy() said false');
      this.#failedInARow = 0;
    } catch (thrown) {
      if (this.#client !== connected) return;
      const why = thrown === LATE ? `no answer within ${healthyWithinMs} ms` : thrownReason(thrown).message;
      if (++this.#failedInARow >= failures) {
        this.#giveUp(new ClientError('unhealthy', `the client is not healthy: ${why}`, { cause: thrown }));
        return;
      }
    }
    this.#lookAgain();
  }

  /** A handler that waits for a client that hangs is not waited for as long as that. */
  #giveUp(reason: ClientError): void {
    this.stop(reason);
    const self = this.self.process();
    const { disconnectMs } = this.#times;
    if (!self.alive || disconnectMs === Infinity) return;
    this.#timer = setTimeout(() => self.kill(reason), Math.min(disconnectMs, MAX_TIMER_MS));
  }

  async #disconnect(client: C): Promise<void> {
    await inTime(Promise.resolve(this.disconnect(client)), this.#times.disconnectMs).catch((error) => {
      if (error !== LATE) throw error;
    });
  }
}

const LATE = Symbol('late');

/** Rejects with LATE, or with why the signal was aborted. */
async function inTime<T>(promise: Promise<T>, ms: number, signal?: AbortSignal): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  let aborted: (() => void) | undefined;
  try {
    return await Promise.race([
      promise,
      new Promise<never>((_, reject) => {
        if (ms !== Infinity) timer = setTimeout(() => reject(LATE), Math.min(ms, MAX_TIMER_MS));
        aborted = () => reject(signal?.reason);
        signal?.addEventListener('abort', aborted);
      }),
    ]);
  } finally {
    clearTimeout(timer);
    if (aborted) signal?.removeEventListener('abort', aborted);
  }
}
