import {
  type Fdt,
  findCompatible,
  getU32s,
  readFdt,
  setStrings,
  setU32s,
  writeFdt,
} from '../../formats/fdt/index.ts';

const POWER_MANAGER = 'brcm,bcm2835-pm';
/** Register and value of a full reset (Linux: drivers/watchdog/bcm2835_wdt.c): password, and full reset on. */
const RSTC = 0x1c;
const FULL_RESET = 0x5a00_0020;
const FULL_MASK = 0xffff_ffff;

/** The PL011; on the board its other end is the Bluetooth chip. */
const PL011 = 'arm,pl011';

/**
 * The device tree as the emulated board needs it. Two things differ. QEMU's power manager resets the machine as soon
 * as its watchdog is armed, whatever the timeout. So the kernel must not find the watchdog; and as its driver is also what
 * reboots a Pi, a generic reboot device takes its place, writing the same register. And there is no Bluetooth chip behind the PL011: with
 * one in the tree the kernel makes no /dev/ttyAMA0, which carries the root shell here.
 * @throws FormatError `bad-fdt`
 */
export function emulatedDtb(dtb: Uint8Array): Uint8Array {
  const tree = readFdt(dtb);
  for (const { node } of findCompatible(tree.root, POWER_MANAGER)) {
    setStrings(node, 'compatible', 'syscon');
    const handle = getU32s(node, 'phandle')[0] ?? newHandle(tree);
    setU32s(node, 'phandle', handle);
    const reboot = { name: 'emulated-reboot', properties: new Map<string, Uint8Array>(), children: [] };
    setStrings(reboot, 'compatible', 'syscon-reboot');
    setU32s(reboot, 'regmap', handle);
    setU32s(reboot, 'offset', RSTC);
    setU32s(reboot, 'value', FULL_RESET);
    setU32s(reboot, 'mask', FULL_MASK);
    tree.root.children.push(reboot);
  }
  for (const { node } of findCompatible(tree.root, PL011)) node.children = [];
  return writeFdt(tree);
}

/** One above all that are taken. */
function newHandle({ root }: Fdt): number {
  let highest = 0;
  const visit = (node: Fdt['root']): void => {
    highest = Math.max(highest, getU32s(node, 'phandle')[0] ?? 0);
    for (const child of node.children) visit(child);
  };
  visit(root);
  return highest + 1;
}
