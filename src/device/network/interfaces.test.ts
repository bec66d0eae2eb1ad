import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { wiredInterfaces } from './interfaces.ts';

test('Ethernet with a device behind it, and no radio', () => {
  const sys = mkdtempSync(join(tmpdir(), 'hearth-net-'));
  const add = (name: string, type: string, ...also: string[]): void => {
    mkdirSync(join(sys, 'class/net', name), { recursive: true });
    writeFileSync(join(sys, 'class/net', name, 'type'), `${type}\n`);
    for (const entry of also) mkdirSync(join(sys, 'class/net', name, entry));
  };
  add('lo', '772');
  add('eth0', '1', 'device');
  add('usb0', '1', 'device');
  add('wlan0', '1', 'device', 'wireless', 'phy80211');
  add('br0', '1', 'bridge');
  mkdirSync(join(sys, 'class/net/gone'));
  try {
    expect(wiredInterfaces(sys).sort()).toEqual(['eth0', 'usb0']);
    expect(wiredInterfaces(join(sys, 'none'))).toEqual([]);
  } finally {
    rmSync(sys, { recursive: true });
  }
});
