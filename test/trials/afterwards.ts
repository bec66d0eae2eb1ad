import { setTimeout as delay } from 'node:timers/promises';
import { changedRoot } from './damage.ts';
import { BOOT, READY } from './device.ts';
import { fileAt } from './tree.ts';
import { must, mustStay, type Outcome, type Scene } from './trial.ts';

/** Works until its data has something that nobody has thought of. */
const FRAGILE = `import { existsSync } from 'node:fs';
import { run } from 'hearthfw';
if (existsSync('/data/app/leap-day')) throw new Error('no 30 February');
run(() => {});
`;

/** S9: it stays, it reports, and it can be mended remotely. */
export async function badLater({ device, build }: Scene): Promise<Outcome> {
  const { boots } = device;
  const fragile = await build({ app: FRAGILE, config: { app: { entry: './src/app.ts', maxRestarts: 1 } } });
  await mustStay(device, fragile);
  const { shell, console: lines } = device.machine;
  await shell.text('touch /data/app/leap-day; sync');
  const reset = device.machine.waitForReset(BOOT);
  await shell.send('kill -TERM 1');
  await reset;
  await lines.waitFor('[hearth] the app has failed: more than 1 restarts', BOOT);
  const bad = await device.status();
  must(bad.uuid === fragile.uuid && bad.state === 'idle', `${bad.version} runs, the update is ${bad.state}`);
  must(
    bad.app.name === 'failed' && /no 30 February/.test(bad.app.reason ?? ''),
    `app: ${JSON.stringify(bad.app)}`,
  );
  must(
    bad.last?.result === 'validated' && bad.last.uuid === fragile.uuid,
    `last: ${JSON.stringify(bad.last)}`,
  );
  await mustStay(device, await build({}));
  return { boots: device.boots - boots, reason: `app failed: ${bad.app.reason}` };
}

/** Boots of one slot that fail before the other one is tried. */
const FAILURES = 3;

/** S10: says so, tries in a bounded way, and has a shell for whoever comes. */
export async function bothBad({ device, forge, build }: Scene): Promise<Outcome> {
  const before = await device.status();
  const second = await build({});
  await mustStay(device, second);
  await device.powerOff();
  const { boots } = device;
  const first = before.slot;
  const other = first === 'a' ? 'b' : 'a';
  // What both were, but for the right to execute node: as if both roots had gone bad on the disk.
  const noNode = changedRoot(forge.blocks, (root) => {
    fileAt(root, 'usr/bin/node').mode = 0o644;
  });
  for (const [slot, version] of [
    [first, before.version],
    [other, second.version],
  ] as const)
    await device.overwriteRoot(
      slot,
      await forge.build(version, { ...forge.recipeOf(version), damage: () => noNode }),
    );
  await device.powerOn();
  const { console: lines, shell } = device.machine;
  const [said] = await lines.waitFor(/\[hearth\] rescue: .*; staying up/, { timeoutMs: 4 * BOOT.timeoutMs });
  // The slot that is preferred, the other one, and the first again: to stay.
  const slots = [...device.transcript.matchAll(/\[hearth\] slot (.) of/g)].map(([, slot]) => slot).slice(-6);
  must(
    device.boots - boots === FAILURES + 3,
    `${device.boots - boots} boots, of the slots ${slots.join(' ')}`,
  );
  must(
    slots.join(' ') === `${other} ${other} ${other} ${other} ${first} ${other}`,
    `it booted ${slots.join(' ')}`,
  );
  await lines.waitFor('[hearth] rescue: hearthd is started again in 60 s', BOOT);
  must((await shell.text('echo somebody is here')).includes('somebody is here'), 'there is no shell');
  const { length } = device.machine.resets;
  await delay(10_000);
  must(device.machine.resets.length === length, 'it has rebooted');
  must(!READY.test(lines.transcript.slice(lines.transcript.lastIndexOf('rescue:'))), 'it is ready');
  return { boots: device.boots - boots, reason: said.replace('[hearth] ', '') };
}
