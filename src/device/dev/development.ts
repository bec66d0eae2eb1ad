import type { Socket } from 'node:net';
import { FwError } from '../../errors.ts';
import { named } from '../../otp/index.ts';
import type { AppState } from '../app/runner.ts';
import type { AppServer } from '../app/server.ts';
import type { FirmwareInfo } from '../firmware-info.ts';
import { PATHS } from '../paths.ts';
import type { Push, Welcome } from './frame.ts';
import { connectInspector, INSPECTOR } from './inspector.ts';
import type { Onlooker, Onlookers } from './onlookers.ts';
import { type Places, placeCode } from './place.ts';

/** Work on the app where it runs. */
export interface Development {
  welcome: Welcome;
  /** @returns ends it */
  watch(onlooker: Onlooker): () => void;
  /**
   * Has the app be this code, until the next boot, and starts it anew.
   * @throws FwError `dev-code-damaged`, `dev-addons-missing`
   */
  replace(deflated: Uint8Array, push: Push): Promise<void>;
  /**
   * A connection to the app's inspector, which is opened if need be. For as long as it is there the app may stand still.
   * @throws FwError `debug-no-app`, `debug-no-inspector`
   */
  inspect(): Promise<Socket>;
}

/** Where things are on a device. */
const ON_DEVICE = { folder: PATHS.dev, appFolder: PATHS.appFolder, inspectorPort: INSPECTOR.port };

export function developmentOf(
  { product, version, target }: Pick<FirmwareInfo, keyof Welcome>,
  onlookers: Onlookers,
  places: Places & { inspectorPort: number } = ON_DEVICE,
): Development {
  // An app has its time to stop.
  const app = () => named<AppServer>('app').within(Infinity);
  return {
    welcome: { product, version, target },
    watch: (onlooker) => onlookers.add(onlooker),
    async replace(deflated, push) {
      await placeCode(deflated, push, places);
      await app().call('startAnew');
    },
    async inspect() {
      const state = await app().call('state');
      // Node that comes up yet, or that has not got to its own code, dies of the signal.
      if (state.name !== 'healthy' && state.name !== 'unhealthy') throw noApp(state);
      const socket = await connectInspector({ pid: state.pid, port: places.inspectorPort });
      socket.once('close', onlookers.addDebugger());
      return socket;
    },
  };
}

function noApp({ name, ...rest }: AppState): FwError {
  return new FwError('debug-no-app', 'the app does not run now', {
    where: 'reason' in rest ? `${name}: ${rest.reason}` : name,
    remedy:
      'See what keeps it from running: fw status HOST. What fails at its start is debugged here: fw start --inspect.',
  });
}
