import type { DeviceStatus } from '../status.ts';
import { noArguments } from '../usage.ts';
import type { DeviceVerb } from '../verb.ts';

export const status: DeviceVerb = {
  name: 'status',
  usage: '[--json]',
  help: 'what runs, and how it is',
  async run(context) {
    noArguments(context, 'status');
    const value = await context.device.status();
    return { value, text: inWords(value) };
  },
};

function inWords(status: DeviceStatus): string {
  const { product, version, uuid, target, slot, state, trial, app, data, network, last, floor } = status;
  const rows: [string, string][] = [
    ['firmware', `${product} ${version} (${uuid}), ${target}, slot ${slot}`],
    ...(status.hostname ? [['name', `${status.hostname}, serial ${status.serial}`] as [string, string]] : []),
    ['update', trial ? trialInWords(trial) : state],
  ];
  for (const name of ['a', 'b'] as const) {
    const held = status.slots[name];
    const what = held ? `${held.version}${held.validated ? '' : ', not validated'}` : 'empty';
    rows.push([`slot ${name}`, what]);
  }
  if (last) rows.push(['last update', `${last.version} ${last.result}: ${last.reason}`]);
  if (floor !== undefined) rows.push(['version floor', floor]);
  rows.push(['app', [app.name, app.reason].filter(Boolean).join(': ')], ['data', data]);
  for (const [name, { address, event }] of Object.entries(network)) rows.push([name, address ?? event]);
  rows.push(['up for', `${Math.round(status.uptimeSeconds)} s; last reset: ${status.resetCause}`]);
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, text]) => `${name.padEnd(width)}  ${text}`).join('\n');
}

function trialInWords({ secondsLeft, healthy, reachable }: NonNullable<DeviceStatus['trial']>): string {
  return `on trial: ${healthy ? 'healthy' : 'not healthy'}, ${reachable ? 'reached' : 'not reached yet'}, ${secondsLeft} s left`;
}
