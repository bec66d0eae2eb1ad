import { named } from '../../otp/index.ts';
import type { AppServer } from '../app/server.ts';
import type { FirmwareInfo } from '../firmware-info.ts';
import { PATHS } from '../paths.ts';
import type { Push, Welcome } from './frame.ts';
import type { Onlooker, Onlookers } from './onlookers.ts';
import { placeCode } from './place.ts';

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
  /** The app's process, when there is one that has got to its own code. */
  pid(): Promise<number | undefined>;
  /** From here on the app may stand still. @returns ends it */
  debug(): () => void;
}

export function developmentOf({ product, version, target }: FirmwareInfo, onlookers: Onlookers): Development {
  // An app has its time to stop.
  const app = () => named<AppServer>('app').within(Infinity);
  return {
    welcome: { product, version, target },
    watch: (onlooker) => onlookers.add(onlooker),
    async replace(deflated, push) {
      await placeCode(deflated, push, { folder: PATHS.dev, appFolder: PATHS.appFolder });
      await app().call('startAnew');
    },
    async pid() {
      const state = await app().call('state');
      return state.name === 'healthy' || state.name === 'unhealthy' ? state.pid : undefined;
    },
    debug: () => onlookers.addDebugger(),
  };
}
