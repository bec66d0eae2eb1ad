import { spawn } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { text as streamText } from 'node:stream/consumers';
import { openFirmware } from '../../src/archive/index.ts';
import type { Slot } from '../../src/archive/variants.ts';
import { writeImage } from '../../src/build/image.ts';
import type { DeviceStatus } from '../../src/device/api/status.ts';
import type { Machine } from '../../src/host/machine.ts';
import { startMachine } from '../../src/host/start.ts';
import { statusOf } from '../../src/links/device.ts';
import { SshLink } from '../../src/links/ssh/ssh-link.ts';
import { type Uploaded, upload } from '../../src/links/upload.ts';
import { DiskFile } from '../../src/update/disk-file.ts';
import { findPlaces } from '../../src/update/places.ts';
import { SlotStore } from '../../src/update/slot.ts';
import { wholeSlot } from '../../src/update/test-machine.ts';
import type { Built, Forge } from './forge.ts';

export const BOOT = { timeoutMs: 300_000 };
export const READY = /\[hearth\] ready /;

const EMULATORS = { x86_64: 'q35', rpi3: 'raspi3b', qemu_arm64: 'virt-arm64' } as const;
export type Target = keyof typeof EMULATORS;
export const TARGETS = Object.keys(EMULATORS);
export const isTarget = (name: string): name is Target => TARGETS.includes(name);
/** A Pi's card must have a power of two of bytes. */
const DISK_SIZE = 1024 ** 3;

/** An emulated device from its first boot on, and the way to it: the user's ssh, as `fw` uses it. */
export class Device implements AsyncDisposable {
  readonly target: Target;
  readonly #folder: string;
  readonly #forge: Forge;
  readonly #say: (line: string) => void;
  readonly #machines: Machine[] = [];
  /** What it has booted of; the sender has it at hand, and sends differences. */
  readonly #sent = new Map<string, string>();

  private constructor(target: Target, folder: string, forge: Forge, say: (line: string) => void) {
    this.target = target;
    this.#folder = folder;
    this.#forge = forge;
    this.#say = say;
  }

  /** @param say told what it prints */
  static async flash(
    target: Target,
    folder: string,
    forge: Forge,
    firmware: Built,
    say: (line: string) => void,
  ): Promise<Device> {
    await mkdir(folder, { recursive: true });
    const device = new Device(target, folder, forge, say);
    await writeImage(firmware.path, device.#disk, { size: DISK_SIZE });
    device.#sent.set(firmware.uuid, firmware.path);
    await device.powerOn();
    return device;
  }

  get machine(): Machine {
    const machine = this.#machines.at(-1);
    if (!machine) throw new Error('it was never switched on');
    return machine;
  }

  /** How often it was started, the first time included: switched on, or reset. */
  get boots(): number {
    return this.#machines.reduce((sum, { resets }) => sum + 1 + resets.length, 0);
  }

  async powerOn(): Promise<void> {
    const machine = await startMachine({
      emulator: EMULATORS[this.target],
      disk: this.#disk,
      workDir: join(this.#folder, this.target),
      // Whoever waits for it looks for it where it was.
      forwards: [{ host: this.#machines[0]?.portOf(22) ?? 0, guest: 22 }],
    });
    this.#machines.push(machine);
    void this.#listen(machine);
  }

  /** What somebody does who finds it dead: the reset button; off and on where there is none. */
  async reset(): Promise<void> {
    if (this.target !== 'rpi3') return this.machine.reset();
    await this.machine.cutPower();
    await this.powerOn();
  }

  async powerOff(): Promise<void> {
    await this.machine.shell.send('kill -USR2 1');
    const { reason } = await this.machine.exited;
    if (reason !== 'guest-shutdown') throw new Error(`it did not switch itself off: ${reason}`);
  }

  /** Puts a root into a slot of a device that is off; nothing on it is told. */
  async overwriteRoot(slot: Slot, { path }: Built): Promise<void> {
    const disk = await DiskFile.open(this.#disk);
    await using fw = await openFirmware(path, { trust: 'self' });
    const { root } = findPlaces(disk, this.#table).slots[slot];
    for await (const { offset, bytes } of fw.read('root')) await disk.write(root.offset + offset, bytes);
    await disk.flush();
    await disk.close();
  }

  get link(): SshLink {
    return new SshLink(`root@127.0.0.1:${this.machine.portOf(22)}`, { extra: this.#sshOptions('login') });
  }

  /** Types into a terminal that plain ssh opens, and gives what was shown until it ended; also why ssh did not open it. */
  async typed(text: string, key: 'login' | 'update'): Promise<string> {
    const args = ['-tt', '-p', String(this.machine.portOf(22)), ...this.#sshOptions(key), 'root@127.0.0.1'];
    const ssh = spawn('ssh', args, { timeout: BOOT.timeoutMs });
    // ssh itself says why it reads no more.
    ssh.stdin.on('error', () => {});
    ssh.stdin.write(text);
    const [shown, complaint] = await Promise.all([streamText(ssh.stdout), streamText(ssh.stderr)]);
    return shown + complaint;
  }

  /** Waits until it answers. */
  async status(): Promise<DeviceStatus> {
    for (const deadline = performance.now() + BOOT.timeoutMs; ; ) {
      try {
        return await statusOf(this.link, { timeoutMs: 30_000 });
      } catch (error) {
        if (performance.now() > deadline) throw error;
        await new Promise((resolve) => setTimeout(resolve, 500));
      }
    }
  }

  /** As `fw upload` does it, to the verdict. */
  async upload(firmware: Built, before: DeviceStatus, signal: AbortSignal): Promise<Uploaded> {
    await using fw = await openFirmware(firmware.path, { trust: 'self' });
    this.#sent.set(firmware.uuid, firmware.path);
    return await upload(fw, this.link, before, {
      ...{ signal, wait: true, bootMs: BOOT.timeoutMs },
      findOld: async (uuid) => {
        const path = this.#sent.get(uuid);
        return path === undefined ? undefined : openFirmware(path, { trust: 'self' });
      },
    });
  }

  /** The version that a slot holds, every byte of it hashed. It throws where the slot is not whole. */
  async wholeSlot(slot: Slot): Promise<string> {
    const disk = await DiskFile.open(this.#disk);
    try {
      return await wholeSlot(new SlotStore(disk, slot, findPlaces(disk, this.#table).slots[slot]));
    } finally {
      await disk.close();
    }
  }

  /** All that its machines have printed. */
  get transcript(): string {
    return this.#machines.map(({ console: lines }) => lines.transcript).join('\n');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const machine of this.#machines) await machine.cutPower();
  }

  async #listen(machine: Machine): Promise<void> {
    for await (const line of machine.console) this.#say(`  | ${line}`);
  }

  /** A host key that is another one than before is refused. */
  #sshOptions(key: 'login' | 'update'): string[] {
    const options = [
      'StrictHostKeyChecking=accept-new',
      `UserKnownHostsFile=${join(this.#folder, 'known_hosts')}`,
      ...['IdentitiesOnly=yes', 'IdentityAgent=none'],
    ];
    return ['-F', 'none', '-i', this.#forge.key(key), ...options.flatMap((each) => ['-o', each])];
  }

  get #table(): 'mbr' | 'gpt' {
    return this.target === 'rpi3' ? 'mbr' : 'gpt';
  }

  get #disk(): string {
    return join(this.#folder, `${this.target}.img`);
  }
}
