import type { DeviceStatus } from '../device/api/status.ts';
import { duration } from '../units.ts';
import { table } from './table.ts';

/** A device's status for people. */
export function statusText(status: DeviceStatus): string {
  const { product, version, target, slot, uuid, app, network } = status;
  const other = slot === 'a' ? 'b' : 'a';
  const held = status.slots[other];
  const rows = [
    ['uuid', uuid],
    ...(status.hostname ? [['name', `${status.hostname}, serial ${status.serial}`]] : []),
    ['update', updateText(status)],
    ...(status.last ? [['last', lastText(status.last)]] : []),
    [
      `slot ${other}`,
      held ? `${held.version}${held.validated ? '' : ', never made permanent'}` : 'holds no whole firmware',
    ],
    ...(status.floor ? [['floor', `takes nothing below ${status.floor}`]] : []),
    ['app', `${app.name}${app.reason ? `: ${app.reason}` : ''}`],
    ['data', status.data],
    ...Object.entries(network).map(([name, { event, address }]) => [name, address ?? event]),
    ['up', `for ${duration(status.uptimeSeconds)}; started by: ${status.resetCause}`],
  ];
  return [
    ...table([[`${product} ${version} for ${target}, in slot ${slot}`]]),
    ...table(rows).map((line) => `  ${line}`),
  ].join('\n');
}

/** How it stands with the firmware that runs. */
export function trialText({ secondsLeft, healthy, reachable }: NonNullable<DeviceStatus['trial']>): string {
  const lacks = [...(healthy ? [] : ['healthy']), ...(reachable ? [] : ['reached'])];
  const yet = lacks.length > 0 ? `not yet ${lacks.join(', not yet ')}; ` : '';
  return `on trial: ${yet}${duration(secondsLeft)} left`;
}

function updateText({ state, trial }: DeviceStatus): string {
  if (trial) return trialText(trial);
  switch (state) {
    case 'idle':
      return 'none; the firmware that runs is permanent';
    case 'receiving':
      return 'being received, or broken off: what has come is not sent again';
    case 'staged':
      return 'received; tried at the next reboot';
    case 'trial':
      return 'goes down to try the new firmware';
  }
}

function lastText({ result, version, reason }: NonNullable<DeviceStatus['last']>): string {
  return `${version} was ${result === 'validated' ? 'made permanent' : 'given up'}: ${reason}`;
}
