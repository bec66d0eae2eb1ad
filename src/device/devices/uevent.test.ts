import { expect, test } from 'vitest';
import { createUeventParser, type Uevent } from './uevent.ts';

// What busybox 1.35 printed for a USB serial adapter, and for a network interface.
const text = `ACTION=add
DEVPATH=/devices/pci0000:00/0000:00:14.0/usb1/1-1/1-1:1.0/ttyUSB0/tty/ttyUSB0
SUBSYSTEM=tty
MAJOR=188
MINOR=0
DEVNAME=ttyUSB0
SEQNUM=2311
ACTION=bind
DEVPATH=/devices/pci0000:00/0000:00:14.0/usb1/1-1
SUBSYSTEM=usb
DEVNAME=bus/usb/001/002
DEVTYPE=usb_device
PRODUCT=403/6001/600
MODALIAS=usb:v0403p6001d0600dc00dsc00dp00icFFiscFFipFFin00
SEQNUM=2312
ACTION=remove
DEVPATH=/devices/virtual/net/eth1
SUBSYSTEM=net
INTERFACE=eth1
IFINDEX=3
SEQNUM=2313
`;

function parse(chunks: string[]): Uevent[] {
  const events: Uevent[] = [];
  const push = createUeventParser((event) => events.push(event));
  for (const chunk of chunks) push(chunk);
  return events;
}

test('events, wherever the pipe cuts the text', () => {
  const whole = parse([text]);
  expect(whole.map(({ action, subsystem, devname }) => [action, subsystem, devname])).toEqual([
    ['add', 'tty', 'ttyUSB0'],
    ['bind', 'usb', 'bus/usb/001/002'],
    ['remove', 'net', undefined],
  ]);
  expect(whole[1]?.modalias).toBe('usb:v0403p6001d0600dc00dsc00dp00icFFiscFFipFFin00');
  expect(whole[2]?.interface).toBe('eth1');
  expect(parse([...text])).toEqual(whole);
});

test('an event is delivered with its last line, not with the next event', () => {
  expect(parse([text.split('ACTION=bind')[0] ?? ''])).toHaveLength(1);
});

test('variables of one event do not leak into the next', () => {
  expect(parse([text])[2]?.modalias).toBeUndefined();
});

test('lines that are no variables are passed over', () => {
  expect(parse(['env: out of memory\n=x\nACTION=add\nDEVPATH=/d\nSEQNUM=1\n'])).toEqual([
    expect.objectContaining({ action: 'add', devpath: '/d', subsystem: '' }),
  ]);
});

test.each(['../sda', 'snd/../sda', '/etc/shadow', 'snd//x'])('no device is called %s', (devname) => {
  expect(parse([`ACTION=add\nDEVPATH=/d\nSUBSYSTEM=sound\nDEVNAME=${devname}\nSEQNUM=1\n`])).toEqual([]);
});
