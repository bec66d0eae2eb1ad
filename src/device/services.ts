/** Puts hearthd's tree of services on a device, and starts it. */

import { setImmediate } from 'node:timers/promises';
import { supervisedApp } from '../otp/supervisor/supervised-app.ts';
import { DiskFile } from '../update/disk-file.ts';
import { deviceOf } from './api/services.ts';
import { killApp, letGo } from './app/command.ts';
import { tellOfApp } from './app/story.ts';
import { createDataService } from './data/service.ts';
import { Onlookers } from './dev/onlookers.ts';
import { boot, fail, hearthdMs, hold, info, now, say, sayForApp } from './early.ts';
import { systemExec } from './exec.ts';
import { goDown } from './go-down.ts';
import { DeviceIdentity } from './identity.ts';
import { logTo, speaker } from './log.ts';
import { currentLinks } from './mdns/interfaces.ts';
import { PATHS } from './paths.ts';
import { firstOfBoot } from './ready.ts';
import { sayReports } from './reports.ts';
import { boardSerial } from './serial.ts';
import { hearthd } from './tree.ts';
import { heartOneShot } from './update/one-shot.ts';

/** Importing a large app takes seconds on a slow card; an app that does not call `run()` must still be noticed. */
const START_TIMEOUT_MS = 60_000;

logTo(say);
sayReports();
const exec = systemExec();
const onlookers = new Onlookers();
let opened: Promise<DiskFile> | undefined;
/** One for all: what one service writes and what another one does take turns. */
const disk = (): Promise<DiskFile> => {
  opened ??= DiskFile.open(boot.disk);
  return opened;
};
const identity = new DeviceIdentity(disk, boardSerial());
const tree = supervisedApp(
  hearthd(
    {
      data: PATHS.data,
      network: {
        heart: PATHS.heart,
        busybox: PATHS.busybox,
        script: PATHS.udhcpcScript,
        directory: PATHS.net,
        cgroup: PATHS.netCgroup,
        hostname: info.network.hostname,
        hostnameFile: '/proc/sys/kernel/hostname',
        dhcp: info.network.dhcp,
        sys: '/sys',
      },
      devices: {
        listener: { command: PATHS.busybox, args: ['uevent', PATHS.busybox, 'env'] },
        sys: '/sys',
        dev: '/dev',
      },
      app: { ...info.app, startTimeoutMs: START_TIMEOUT_MS },
      status: PATHS.status,
      control: PATHS.control,
      update: {
        table: boot.table,
        booted: boot.slot,
        resetCause: boot.resetCause,
        trustedKeys: info.updateKeys,
        device: {
          product: info.product,
          target: info.target,
          arch: process.arch === 'arm64' ? 'aarch64' : 'x86_64',
        },
        versionFloor: info.versionFloor,
        version: info.version,
        rules: info.update,
      },
      ssh: {
        folder: PATHS.ssh,
        dropbearkey: PATHS.dropbearkey,
        authorizedKeys: info.sshKeys,
      },
      presence: {
        product: info.product,
        version: info.version,
        uuid: info.uuid,
        target: info.target,
      },
    },
    {
      exec,
      data: (onSlow) =>
        createDataService(boot, info.data.commitSeconds, { exec, identity, say: speaker('data'), onSlow }),
      app: {
        hold,
        letGo,
        killAll: killApp,
        now,
        onState: tellOfApp(info, boot, { say: speaker('app'), now, hearthdMs }),
        onOutput: sayForApp,
      },
      onlookers,
      disk,
      identity,
      links: currentLinks,
      update: {
        oneShot: heartOneShot(exec, PATHS.heart),
        now,
        date: () => new Date(),
        firstOfBoot: () => firstOfBoot(PATHS.updates),
        reboot: (reason) => goDown('reboot', reason),
      },
      device: deviceOf(info, boot, { goDown, now, onlookers, identity }),
    },
  ),
);

let stopping = false;
async function stop(): Promise<void> {
  if (stopping) return;
  stopping = true;
  await tree.stop();
  process.exit(0);
}
process.on('SIGTERM', () => void stop());
process.on('SIGINT', () => void stop());

// A beat that is due goes out here: on a slow board all of this has taken its time, and the start of the tree is one piece, too.
await setImmediate();
await tree.start().catch(fail);
const failure = await tree.ended();
if (!stopping) fail(failure ?? 'its services have ended');
