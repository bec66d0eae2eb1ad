import type { Exec } from '../exec.ts';
import { createLinks, isLinked, type Links } from './links.ts';
import {
  createModuleLoader,
  findModaliases,
  impliedModule,
  impliedModules,
  type ModuleLoader,
} from './modules.ts';
import { grant, grantAll } from './nodes.ts';
import type { Uevent } from './uevent.ts';

/** Buses bring devices with buses: USB controller, hub, adapter, its port. More passes than that find nothing. */
const MAX_PASSES = 6;

export interface HardwareOptions {
  sys: string;
  dev: string;
}

export interface HardwareEffects {
  exec: Exec;
  say(message: string): void;
  /** Modules were loaded: there may be a network interface more. */
  onNetwork(): void;
}

/** What the kernel knows of the hardware, and what is done about it: modules, permissions, stable names. */
export class Hardware {
  readonly #options: HardwareOptions;
  readonly #effects: HardwareEffects;
  readonly #links: Links;
  readonly #modules: ModuleLoader;

  constructor(options: HardwareOptions, effects: HardwareEffects) {
    this.#options = options;
    this.#effects = effects;
    this.#links = createLinks(options.sys, options.dev);
    this.#modules = createModuleLoader(effects.exec, effects.say);
  }

  /** What is in the kernel already gets its permissions and names. Quick, without a process. */
  grantPresent(): void {
    grantAll(this.#options.dev);
    this.#links.addAll();
  }

  /** New devices appear while modules load; each pass asks only for what no pass before has seen. */
  async loadPresent(signal: AbortSignal): Promise<void> {
    const { sys } = this.#options;
    const { exec, onNetwork } = this.#effects;
    for (let pass = 0; pass < MAX_PASSES && !signal.aborted; pass++) {
      const names = [...(await findModaliases(exec, sys)), ...impliedModules(sys)];
      if ((await this.#modules.load(names)) === 0) break;
      onNetwork();
    }
    this.grantPresent();
    onNetwork();
  }

  async load(names: Iterable<string>): Promise<void> {
    await this.#modules.load(names);
  }

  /** A device has come or gone. Returns the modules that it asks for. */
  happened({ action, subsystem, devpath, devname, modalias }: Uevent): string[] {
    const present = action !== 'remove';
    if (devname !== undefined) this.#node(subsystem, devname, present);
    if (!present || action === 'unbind') return [];
    return [modalias, impliedModule(subsystem, devpath)].filter((name) => name !== undefined);
  }

  #node(subsystem: string, devname: string, present: boolean): void {
    if (present) grant(this.#options.dev, devname);
    if (!isLinked(subsystem)) return;
    if (!present) {
      this.#links.remove(subsystem, devname);
      return;
    }
    try {
      this.#links.add(subsystem, devname);
    } catch (error) {
      this.#effects.say(`no stable name for ${devname}: ${String(error)}`);
    }
  }
}
