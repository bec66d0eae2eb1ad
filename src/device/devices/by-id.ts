/** Reads attributes of a device in /sys, going up through its parents. */
export interface SysDevice {
  /** The text of an attribute file of this device, trimmed; undefined when there is none. */
  attribute(name: string): string | undefined;
  /** The nearest device at or above this one that has the attribute. */
  withAttribute(name: string): SysDevice | undefined;
  /** The directory's name, e.g. `1-1.2:1.0`. */
  readonly name: string;
}

/**
 * The stable name of a serial port below /dev/serial/by-id, as udev forms it (its rules `60-serial`), so that what
 * people know from other systems holds: `usb-FTDI_FT232R_USB_UART_A10KZ5-if00-port0`. Undefined when the port is not on USB:
 * built-in ports have stable names already.
 */
export function serialName(device: SysDevice): string | undefined {
  const usb = usbIdentity(device);
  if (!usb) return undefined;
  const number = device.withAttribute('bInterfaceNumber')?.attribute('bInterfaceNumber');
  // Of usb-serial drivers only; ACM ports have none.
  const port = device.withAttribute('port_number')?.attribute('port_number');
  return `usb-${usb}${number ? `-if${number}` : ''}${port === undefined ? '' : `-port${port}`}`;
}

/**
 * The stable name of a disk below /dev/disk/by-id, without the partition's suffix (udev's rules `60-persistent-storage`):
 * `usb-SanDisk_Ultra_4C53…-0:0`, `nvme-MODEL_SERIAL`, `ata-MODEL_SERIAL`, `mmc-NAME_0xSERIAL`, `virtio-SERIAL`.
 */
export function diskName(device: SysDevice, kernelName: string): string | undefined {
  if (kernelName.startsWith('nvme')) {
    const controller = device.withAttribute('serial');
    return joined('nvme-', controller?.attribute('model'), controller?.attribute('serial'));
  }
  if (kernelName.startsWith('mmcblk')) {
    const card = device.withAttribute('cid');
    return joined('mmc-', card?.attribute('name'), card?.attribute('serial'));
  }
  if (kernelName.startsWith('vd')) return joined('virtio-', device.attribute('serial'));
  if (!kernelName.startsWith('sd')) return undefined;
  const usb = usbIdentity(device);
  if (usb) {
    // A card reader is one USB device with several disks; SCSI's target and LUN tell them apart.
    const scsi = /^\d+:\d+:(\d+):(\d+)$/.exec(device.withAttribute('vendor')?.name ?? '');
    return `usb-${usb}-${scsi ? `${scsi[1]}:${scsi[2]}` : '0:0'}`;
  }
  const scsi = device.withAttribute('model');
  return joined('ata-', scsi?.attribute('model'), scsi?.attribute('wwid')?.split(' ').at(-1));
}

/** `VENDOR_PRODUCT_SERIAL` of the USB device that this one belongs to; the numbers where it has no texts. */
function usbIdentity(device: SysDevice): string | undefined {
  const usb = device.withAttribute('idVendor');
  if (!usb) return undefined;
  const vendor = usb.attribute('manufacturer') || usb.attribute('idVendor');
  const product = usb.attribute('product') || usb.attribute('idProduct');
  return [vendor, product, usb.attribute('serial')]
    .filter((part) => part !== undefined && part !== '')
    .map((part) => safeName(part ?? ''))
    .join('_');
}

function joined(prefix: string, ...parts: (string | undefined)[]): string | undefined {
  const known = parts.filter((part) => part !== undefined && part !== '').map((part) => safeName(part ?? ''));
  return known.length === 0 || known.length < parts.length ? undefined : `${prefix}${known.join('_')}`;
}

/**
 * What a USB device says of itself is a stranger's text that becomes a file name: everything but a few characters
 * becomes `_`, so that no device can name itself `../../sda`.
 */
export function safeName(text: string): string {
  const name = text
    .trim()
    .replace(/\s+/g, '_')
    .replace(/[^\w#+\-:=@.]/g, '_')
    .slice(0, 100);
  return name.replace(/^\.+/, '_');
}
