import { execFileSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { writeImage } from '../../src/build/image.ts';
import type { Machine } from '../../src/host/machine.ts';
import { statusOf } from '../../src/links/device.ts';
import { SshLink } from '../../src/links/ssh/ssh-link.ts';
import { type App, ChangingApp } from '../delta.ts';
import { Bench } from '../emulator/harness.ts';
import { temporaryFolder } from '../firmware.ts';

const BOOT = { timeoutMs: 240_000 };

/** An example app on an emulated PC, with SSH to it. */
export interface BenchDevice extends AsyncDisposable {
  folder: string;
  app: ChangingApp;
  /** The .fw that it was flashed with. */
  firmware: string;
  machine: Machine;
  link: SshLink;
  /** Options of ssh for this machine's key and the device's. */
  ssh: string[];
}

export interface BenchDeviceOptions {
  /** TCP ports of the guest besides SSH's. */
  ports?: readonly number[];
  /** Something is done to the disk before it is switched on. */
  prepare?(image: string): Promise<void>;
}

/** Comes back when the app is healthy and SSH answers. */
export async function benchDevice(
  name: App,
  { ports = [], prepare }: BenchDeviceOptions = {},
): Promise<BenchDevice> {
  const folder = await temporaryFolder();
  const key = join(folder.path, 'login');
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', 'bench', '-f', key]);
  const app = await ChangingApp.copy(name, 'x86_64', folder.path);
  const login = (await readFile(`${key}.pub`, 'utf8')).trim();
  // A trial as short as can be: what is measured is not its rule.
  await app.configure(`sshKeys: ['${login}'], update: { healthySeconds: 1, trialSeconds: 290 }`);
  const firmware = await app.build('1.0.0');
  const image = join(folder.path, 'disk.img');
  await writeImage(firmware, image);
  await prepare?.(image);
  const bench = await Bench.open({ emulator: 'q35', image, ports: [22, ...ports] });
  const dispose = async (): Promise<void> => {
    await bench.close();
    await folder[Symbol.asyncDispose]();
  };
  try {
    const machine = await bench.start();
    await machine.console.waitFor(/\[hearth\] ready /, BOOT);
    const known = join(folder.path, 'known_hosts');
    const options = ['StrictHostKeyChecking=accept-new', `UserKnownHostsFile=${known}`, 'IdentitiesOnly=yes'];
    const ssh = ['-F', 'none', '-i', key, ...options.flatMap((option) => ['-o', option])];
    const link = new SshLink(`root@127.0.0.1:${machine.portOf(22)}`, {
      extra: ssh,
      connectTimeoutSeconds: 60,
    });
    for (const end = performance.now() + BOOT.timeoutMs; ; ) {
      const up = await statusOf(link).then(
        () => true,
        () => false,
      );
      if (up) break;
      if (performance.now() > end) throw new Error(`SSH does not answer:\n${bench.tail(40)}`);
    }
    return { folder: folder.path, app, firmware, machine, link, ssh, [Symbol.asyncDispose]: dispose };
  } catch (error) {
    await dispose();
    throw error;
  }
}
