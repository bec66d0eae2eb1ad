import type { DataState } from '../../otp/device.ts';
import {
  type ChildSpec,
  child,
  type ExitReason,
  isOrderly,
  named,
  Server,
  type ServerRef,
  Task,
} from '../../otp/index.ts';
import type { DataService } from './service.ts';

export interface DataOptions {
  service: DataService;
  /** Fulfilled when the device is up: what takes its time on the disk begins then. */
  settled: Promise<void>;
  onChange(): void;
}

/** Unmounting writes what is in memory to a slow card; heart takes over when the app and this take longer than 20 s. */
const RELEASE_MS = 10_000;

export function data({ service, ...options }: DataOptions): ChildSpec<ServerRef<Data>> {
  const once = { ...service, prepare: joint(service.prepare), grow: joint(service.grow) };
  return child(Data, { name: 'data', shutdown: RELEASE_MS, args: [{ ...options, service: once }] });
}

/**
 * Whoever asks while it is being done gets what comes of that: what a server has begun on a disk does not end with it, and
 * must not be done twice at a time by the next.
 */
function joint<T>(work: () => Promise<T>): () => Promise<T> {
  let running: Promise<T> | undefined;
  return () => {
    running ??= work().finally(() => {
      running = undefined;
    });
    return running;
  };
}

/** The state of /data, as soon as it is known. Whoever waits for it is refused by the end of the service. */
export function dataMounted(): Promise<DataState> {
  return named<Data>('data').within(Infinity).call('mounted');
}

/**
 * /data, from its preparation to its release. One that crashes leaves /data as it is, and the app with it: the one that
 * comes after it finds it mounted.
 */
export class Data extends Server {
  readonly #mounted = Promise.withResolvers<DataState>();
  #state: DataState | 'preparing' = 'preparing';
  #service: DataService | undefined;
  #onChange = (): void => {};

  override async init({ service, settled, onChange }: DataOptions): Promise<void> {
    this.#service = service;
    this.#onChange = onChange;
    const me: ServerRef<Data> = this.self;
    // A task: repairing may take minutes, and questions are answered meanwhile.
    Task.async(async function data() {
      me.cast('prepared', await service.prepare());
      await settled;
      await service.grow();
    });
    // The services that start next compute for as long as a mount takes: it runs beside them.
    await service.underWay;
  }

  prepared(state: DataState): void {
    this.#state = state;
    this.#mounted.resolve(state);
    this.#onChange();
  }

  mounted() {
    return this.later(this.#mounted.promise);
  }

  state(): DataState | 'preparing' {
    return this.#state;
  }

  override async terminate(reason: ExitReason): Promise<void> {
    if (!isOrderly(reason) || this.#state === 'preparing') return;
    await this.#service?.release();
  }
}
