import { gunzipSync } from 'node:zlib';
import { type ConfigContext, type ConfigText, parseConfigText, settingOf } from './config-txt.ts';
import { doesNotBoot } from './failure.ts';
import { type BootPartition, requireFile } from './sdcard.ts';

/** What the firmware puts into memory before it starts the processor. */
export interface FirmwareChoice {
  /** An arm64 Image, decompressed. */
  kernel: Uint8Array;
  initramfs: Uint8Array | undefined;
  dtb: Uint8Array;
  cmdline: string;
}

/** Magic at byte 56 of an arm64 Image (Linux: Documentation/arch/arm64/booting.rst). */
const IMAGE_MAGIC = { offset: 56, value: 0x644d5241 };
const FDT_MAGIC = 0xd00dfeed;
const MAX_KERNEL = 512 * 1024 * 1024;

const DOWNSTREAM_DTB = 'bcm2710-rpi-3-b.dtb';
const UPSTREAM_DTB = 'bcm2837-rpi-3-b.dtb';

/** Settings that change what runs and that this model leaves out. */
const NOT_MODELLED = [
  'dtoverlay',
  'dtparam',
  'include',
  'ramfsaddr',
  'kernel_address',
  'armstub',
  'device_tree_address',
];

interface Input {
  configFile: string;
  context: ConfigContext;
  trace: string[];
}

/**
 * start.elf on a boot partition: reads config.txt and loads kernel, initramfs, device tree and command line
 * (Raspberry Pi documentation, "config.txt", "Boot options").
 * @throws FwError `pi-does-not-boot`
 */
export function runFirmware(boot: BootPartition, { configFile, context, trace }: Input): FirmwareChoice {
  const config = readConfig(boot, configFile, context, trace);
  const { startFile, fixupFile } = startFiles(config);
  requireFile(boot, startFile, 'noStartElf');
  requireFile(boot, fixupFile, 'noStartElf');
  trace.push(`bootcode.bin: starts ${startFile} with ${fixupFile}`);

  const upstream = settingOf(config, 'upstream_kernel')?.value === '1';
  const kernelName = kernelNameOf(boot, config);
  const prefix = prefixOf(boot, config, { upstream, kernelName });
  const kernel = loadKernel(boot, prefix + kernelName, trace);
  const dtb = loadDeviceTree(boot, prefix, config, upstream, trace);
  const initramfs = loadInitramfs(boot, prefix, config, kernelName, trace);
  const cmdline = loadCommandLine(boot, prefix, config, trace);
  return { kernel, initramfs, dtb, cmdline };
}

function readConfig(boot: BootPartition, file: string, context: ConfigContext, trace: string[]): ConfigText {
  if (!boot.fat.stat(file)) {
    trace.push(`start.elf: no ${file}; its defaults apply`);
    return { settings: [], notes: [] };
  }
  const config = parseConfigText(Buffer.from(boot.fat.file(file)).toString('latin1'), context);
  trace.push(...config.notes.map((note) => `${file}: ${note}`));
  for (const { key, value, line } of config.settings) {
    const remark = NOT_MODELLED.includes(key) ? ' (not modelled here)' : '';
    trace.push(`${file}, line ${line}: ${key}=${value}${remark}`);
  }
  return config;
}

/** A little memory for the GPU, the camera and debugging each have firmware of their own. */
function startFiles(config: ConfigText): { startFile: string; fixupFile: string } {
  const value = (key: string): string | undefined => settingOf(config, key)?.value;
  const kind =
    value('gpu_mem') === '16'
      ? '_cd'
      : value('start_x') === '1'
        ? '_x'
        : value('start_debug') === '1'
          ? '_db'
          : '';
  return {
    startFile: value('start_file') ?? `start${kind}.elf`,
    fixupFile: value('fixup_file') ?? `fixup${kind}.dat`,
  };
}

function kernelNameOf(boot: BootPartition, config: ConfigText): string {
  const explicit = settingOf(config, 'kernel')?.value;
  // A Pi 3 starts in 32 bits unless told otherwise; the well-known name of a 64-bit kernel tells it too.
  const is64 = settingOf(config, 'arm_64bit')?.value === '1' || explicit === 'kernel8.img';
  if (is64) return explicit ?? 'kernel8.img';
  throw doesNotBoot('rainbow', `it would start ${explicit ?? 'kernel7.img'} in 32-bit mode`, {
    partition: boot.number,
    file: 'config.txt',
    expected: 'arm_64bit=1',
  });
}

function prefixOf(
  boot: BootPartition,
  config: ConfigText,
  { upstream, kernelName }: { upstream: boolean; kernelName: string },
): string {
  const prefix = settingOf(config, 'os_prefix')?.value ?? (upstream ? 'upstream/' : '');
  if (prefix === '') return '';
  // "ignored if the required kernel and .dtb file can't be found when using the prefix"
  const complete =
    boot.fat.stat(prefix + kernelName) &&
    dtbNames(config, upstream).some((name) => boot.fat.stat(prefix + name));
  return complete ? prefix : '';
}

function loadKernel(boot: BootPartition, path: string, trace: string[]): Uint8Array {
  requireFile(boot, path, 'noKernel');
  const stored = boot.fat.file(path);
  const kernel = stored[0] === 0x1f && stored[1] === 0x8b ? decompress(boot, path, stored) : stored;
  const { offset, value } = IMAGE_MAGIC;
  if (uint32(kernel, offset, true) !== value) {
    throw doesNotBoot('rainbow', `${path} is no 64-bit kernel`, {
      partition: boot.number,
      file: path,
      expected: 'an arm64 Image, as it is or compressed by gzip',
    });
  }
  trace.push(`start.elf: kernel ${path}, ${stored.length} bytes${kernel === stored ? '' : ', gzip'}`);
  return kernel;
}

function decompress(boot: BootPartition, path: string, bytes: Uint8Array): Uint8Array {
  try {
    return gunzipSync(bytes, { maxOutputLength: MAX_KERNEL });
  } catch (cause) {
    throw doesNotBoot('rainbow', `${path} is compressed and cannot be decompressed`, {
      partition: boot.number,
      file: path,
      expected: 'a complete gzip file',
      cause,
    });
  }
}

/** In the order in which the firmware looks for them. */
function dtbNames(config: ConfigText, upstream: boolean): string[] {
  const explicit = settingOf(config, 'device_tree')?.value;
  if (explicit !== undefined) return explicit === '' ? [] : [explicit];
  return upstream ? [UPSTREAM_DTB, DOWNSTREAM_DTB] : [DOWNSTREAM_DTB];
}

function loadDeviceTree(
  boot: BootPartition,
  prefix: string,
  config: ConfigText,
  upstream: boolean,
  trace: string[],
): Uint8Array {
  const names = dtbNames(config, upstream);
  const path = names.map((name) => prefix + name).find((name) => boot.fat.stat(name));
  if (path === undefined) {
    throw doesNotBoot('rainbow', 'there is no device tree for this board', {
      partition: boot.number,
      file: names.join(', ') || 'config.txt: device_tree=',
      expected: 'a device tree: a 64-bit kernel does not start without one',
      remedy: `Put ${UPSTREAM_DTB} beside the kernel and set upstream_kernel=1.`,
    });
  }
  const dtb = boot.fat.file(path);
  if (uint32(dtb, 0, false) !== FDT_MAGIC || uint32(dtb, 4, false) > dtb.length) {
    throw doesNotBoot('rainbow', `${path} is no device tree`, {
      partition: boot.number,
      file: path,
      expected: 'a complete flattened device tree',
    });
  }
  trace.push(`start.elf: device tree ${path}, ${dtb.length} bytes`);
  return dtb;
}

function loadInitramfs(
  boot: BootPartition,
  prefix: string,
  config: ConfigText,
  kernelName: string,
  trace: string[],
): Uint8Array | undefined {
  const named =
    settingOf(config, 'initramfs')?.value.split(/\s+/)[0] ?? settingOf(config, 'ramfsfile')?.value;
  const auto = settingOf(config, 'auto_initramfs')?.value === '1';
  const automatic = auto ? kernelName.replace(/^kernel(.*)\.img$/, 'initramfs$1') : undefined;
  const list = named ?? (automatic && boot.fat.stat(prefix + automatic) ? automatic : undefined);
  if (list === undefined || list === '') {
    trace.push('start.elf: no initramfs');
    return undefined;
  }
  const paths = list.split(',').map((name) => prefix + name);
  for (const path of paths) {
    // The firmware would go on without it, and the kernel would panic: it finds no root.
    requireFile(boot, path, 'rainbow');
  }
  const bytes = Buffer.concat(paths.map((path) => boot.fat.file(path)));
  trace.push(`start.elf: initramfs ${paths.join(' + ')}, ${bytes.length} bytes`);
  return bytes;
}

function loadCommandLine(boot: BootPartition, prefix: string, config: ConfigText, trace: string[]): string {
  const path = prefix + (settingOf(config, 'cmdline')?.value ?? 'cmdline.txt');
  if (!boot.fat.stat(path)) {
    trace.push(`start.elf: no ${path}; the command line is empty`);
    return '';
  }
  const lines = Buffer.from(boot.fat.file(path)).toString('latin1').split(/\r?\n/);
  const cmdline = (lines[0] ?? '').trim();
  if (lines.slice(1).some((line) => line.trim() !== '')) trace.push(`${path}: only its first line counts`);
  trace.push(`start.elf: command line ${path}: ${cmdline}`);
  return cmdline;
}

function uint32(bytes: Uint8Array, offset: number, littleEndian: boolean): number {
  if (bytes.length < offset + 4) return -1;
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(offset, littleEndian);
}
