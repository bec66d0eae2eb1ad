/** The app of a device that fw dev works on: hearthd's own server of it, with real processes of Node, in folders of a test. */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { letGo, nodeOptions } from '../../src/device/app/command.ts';
import type { AppState } from '../../src/device/app/runner.ts';
import { AppServer } from '../../src/device/app/server.ts';
import { Data } from '../../src/device/data/server.ts';
import { type Development, developmentOf } from '../../src/device/dev/development.ts';
import { Onlookers } from '../../src/device/dev/onlookers.ts';
import type { DataState } from '../../src/otp/device.ts';
import { type ServerRef, start } from '../../src/otp/index.ts';

/** The firmware's own app, which is to be replaced: what any app says to hearthd, in as few words as can be. */
const OWN_APP = `
process.send({ type: 'started' });
process.send({ type: 'health', ok: true });
process.on('message', () => process.exit(0));
`;
const GATE = fileURLToPath(new URL('../../firmware/rootfs/usr/lib/hearth/gate.mjs', import.meta.url));
/** The computer that runs the tests is slow at times. */
const LIMITS = { startTimeoutMs: 60_000, stopTimeoutMs: 30_000, maxRestarts: 5, restartWindowMs: 60_000 };
const BEAT_TIMEOUT_MS = 60_000;

export interface AppAtWorkOptions {
  /** A device has 9229 to itself. */
  inspectorPort?: number;
  beatTimeoutMs?: number;
}

export class AppAtWork {
  readonly development: Development;
  readonly #servers: (ServerRef<Data> | ServerRef<AppServer>)[] = [];
  readonly #children: ChildProcess[] = [];
  readonly #asides: ChildProcess[] = [];
  readonly #states: AppState[] = [];

  private constructor(folder: string, onlookers: Onlookers, inspectorPort: number) {
    const about = { product: 'hello', version: '1.1.0', target: 'rpi3' };
    const places = { folder: join(folder, 'dev'), appFolder: join(folder, 'srv') };
    this.development = developmentOf(about, onlookers, { ...places, inspectorPort });
  }

  static async start(
    folder: string,
    { inspectorPort = 0, beatTimeoutMs = BEAT_TIMEOUT_MS }: AppAtWorkOptions = {},
  ): Promise<AppAtWork> {
    for (const name of ['srv', 'data']) mkdirSync(join(folder, name), { recursive: true });
    writeFileSync(join(folder, 'srv/app.mjs'), OWN_APP);
    const onlookers = new Onlookers();
    const app = new AppAtWork(folder, onlookers, inspectorPort);
    await app.#start(folder, onlookers, { inspectorPort, beatTimeoutMs });
    return app;
  }

  get state(): AppState {
    return this.#states.at(-1) ?? { name: 'stopped' };
  }

  async stop(): Promise<void> {
    for (const server of this.#servers) {
      server.exit('kill');
      await server.ended();
    }
  }

  async #start(
    folder: string,
    onlookers: Onlookers,
    { inspectorPort, beatTimeoutMs }: Required<AppAtWorkOptions>,
  ): Promise<void> {
    const service = {
      underWay: Promise.resolve(),
      prepare: async () => 'persistent' as const,
      grow: async () => {},
      release: async () => {},
    };
    const settled = new Promise<void>(() => {});
    const data = await start(Data, { name: 'data', args: [{ service, settled, onChange() {} }] });
    const { promise: healthy, resolve } = Promise.withResolvers<void>();
    // Their groups stand for the cgroups of a device.
    const hold = (aside = false): ChildProcess => {
      const child = spawnApp(folder, inspectorPort, beatTimeoutMs);
      (aside ? this.#asides : this.#children).push(child);
      return child;
    };
    const effects = {
      hold,
      letGo: (child: ChildProcess, dataState: DataState) => {
        this.#children.push(...this.#asides.filter((each) => each === child));
        letGo(child, dataState);
      },
      killAll: () => {
        for (const child of this.#children) child.kill('SIGKILL');
      },
      now: () => performance.now(),
      onState: (state: AppState) => {
        this.#states.push(state);
        onlookers.state(state);
        if (state.name === 'healthy') resolve();
      },
      onOutput: (line: string) => onlookers.output(line),
      say: (message: string) => onlookers.report(message),
      isDebugged: () => onlookers.debug,
      onItsWay() {},
    };
    const limits = { ...LIMITS, beatTimeoutMs };
    const app = await start(AppServer, { name: 'app', args: [limits, effects] });
    this.#servers.push(app, data);
    await healthy;
  }
}

/** As src/device/app/command.ts does it, but for heart, who needs a device. */
function spawnApp(folder: string, inspectorPort: number, beatTimeoutMs: number): ChildProcess {
  const sent = join(folder, 'dev/app.mjs');
  const file = existsSync(sent) ? sent : join(folder, 'srv/app.mjs');
  const nodeArgs = [`--inspect-port=127.0.0.1:${inspectorPort}`];
  return spawn(
    process.execPath,
    [...nodeOptions({ nodeArgs, env: {}, yetToCome: true, sourceMap: true }, GATE), file],
    {
      stdio: ['pipe', 'pipe', 'pipe', 'ipc'],
      env: {
        HEARTH_GATE: '1',
        HEARTH_DATA: join(folder, 'data'),
        HEARTH_APP_CONFIG: join(folder, 'dev/config.json'),
        HEARTH_BEAT_MS: String(beatTimeoutMs),
      },
    },
  );
}
