import { named } from '../../otp/index.ts';
import type { AppServer } from '../app/server.ts';
import type { BootInfo } from '../boot-info.ts';
import type { Data } from '../data/server.ts';
import { developmentOf } from '../dev/development.ts';
import type { Onlookers } from '../dev/onlookers.ts';
import type { FirmwareInfo } from '../firmware-info.ts';
import type { DeviceIdentity } from '../identity.ts';
import type { Mdns } from '../mdns/server.ts';
import type { Network } from '../network/service.ts';
import type { Ssh } from '../ssh/service.ts';
import type { Update } from '../update/server.ts';
import type { Device } from './device.ts';
import { hostnameOf } from './hostname.ts';
import { keysOf } from './keys.ts';
import type { DeviceStatus } from './status.ts';

export interface DeviceEffects {
  goDown: Device['goDown'];
  /** Milliseconds since the kernel started. */
  now(): number;
  /** People who work on the app. */
  onlookers: Onlookers;
  identity: DeviceIdentity;
}

/** The device, as hearthd's services are it together: by their names, so that one that is started anew is no other. */
export function deviceOf(
  info: FirmwareInfo,
  boot: BootInfo,
  { goDown, now, onlookers, identity }: DeviceEffects,
): Device {
  // The disk may be slow, and the sender's link is: only their ends are ends.
  const updates = () => named<Update>('update').within(Infinity);
  const { product, version, uuid } = info;
  const hostname = hostnameOf(info.network.hostname, identity, (name) => {
    named<Network>('network').cast('rename', name);
    named<Mdns>('mdns').cast('renew');
  });
  return {
    ...{ product, version, uuid, goDown },
    async status() {
      const [update, app, data, network, name] = await Promise.all([
        updates().call('status'),
        named<AppServer>('app').call('state'),
        named<Data>('data').call('state'),
        named<Network>('network').call('leases'),
        // A disk that cannot be read is told by other fields.
        hostname.read().catch(() => undefined),
      ]);
      const { slots, state, trial, last, floor } = update;
      const { a, b } = slots;
      return {
        ...{ product, version, uuid, target: info.target, slot: boot.slot, state },
        ...(name && { hostname: name.hostname, serial: name.serial }),
        ...(trial && { trial }),
        update: info.update,
        slots: { ...(a && { a: held(a) }), ...(b && { b: held(b) }) },
        ...(last && { last }),
        app: { ...app },
        data,
        network,
        ...(floor !== undefined && { floor }),
        uptimeSeconds: Math.round(now()) / 1000,
        resetCause: boot.resetCause,
      };
    },
    updates: {
      receive: (incoming) => updates().call('receive', incoming),
      try: () => updates().call('try'),
      validate: (reason) => updates().call('validate', reason),
      revert: (reason) => updates().call('revert', reason),
      reached: (via) => named<Update>('update').cast('reached', via),
    },
    keys: keysOf(info.sshKeys, identity, async () => {
      const error = await named<Ssh>('ssh').within(Infinity).call('renew');
      if (error) throw error;
      named<Mdns>('mdns').cast('renew');
    }),
    hostname,
    development: info.dev ? developmentOf(info, onlookers) : undefined,
    async forgetData() {
      const { askForReset } = await import('../later.ts');
      await askForReset(identity);
    },
  };
}

type Held = NonNullable<DeviceStatus['slots']['a']>;

function held({ installed, ...rest }: Omit<Held, 'installed'> & { installed: string | undefined }): Held {
  return { ...rest, ...(installed !== undefined && { installed }) };
}
