import {
  type Fdt,
  type FdtNode,
  findCompatible,
  getU32s,
  readFdt,
  setStrings,
  setU32s,
  walk,
  writeFdt,
} from '../../formats/fdt/index.ts';

const POWER_MANAGER = 'brcm,bcm2835-pm';
/** Register and value of a full reset (Linux: drivers/watchdog/bcm2835_wdt.c): password, and full reset on. */
const RSTC = 0x1c;
const FULL_RESET = 0x5a00_0020;
const FULL_MASK = 0xffff_ffff;

/** On the board its other end is the Bluetooth chip, a child of it in the tree. */
const PL011 = 'arm,pl011';

/**
 * The device tree as the emulated board needs it. Two things differ from the real one:
 *
 * QEMU's power manager resets the machine as soon as its watchdog is armed, whatever the timeout. So the kernel must not
 * find the watchdog; and as its driver is also what reboots a Pi, a generic reboot device takes its place, writing the
 * same register.
 *
 * There is no Bluetooth chip on the PL011. A kernel that is told of one keeps the port for it, and there is no ttyAMA0.
 * @throws FormatError `bad-fdt`
 */
export function emulatedDtb(dtb: Uint8Array): Uint8Array {
  const tree = readFdt(dtb);
  for (const { node } of findCompatible(tree.root, POWER_MANAGER)) replaceWatchdog(tree, node);
  for (const { node } of findCompatible(tree.root, PL011)) node.children = [];
  return writeFdt(tree);
}

function replaceWatchdog(tree: Fdt, powerManager: FdtNode): void {
  const handle = getU32s(powerManager, 'phandle')[0] ?? newHandle(tree);
  setStrings(powerManager, 'compatible', 'syscon');
  setU32s(powerManager, 'phandle', handle);
  const reboot: FdtNode = { name: 'emulated-reboot', properties: new Map(), children: [] };
  setStrings(reboot, 'compatible', 'syscon-reboot');
  setU32s(reboot, 'regmap', handle);
  setU32s(reboot, 'offset', RSTC);
  setU32s(reboot, 'value', FULL_RESET);
  setU32s(reboot, 'mask', FULL_MASK);
  tree.root.children.push(reboot);
}

/** One above all that are taken. */
function newHandle({ root }: Fdt): number {
  return Math.max(0, ...[...walk(root)].map(({ node }) => getU32s(node, 'phandle')[0] ?? 0)) + 1;
}
