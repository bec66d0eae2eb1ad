import { readFile } from 'node:fs/promises';
import { setTimeout as delay } from 'node:timers/promises';
import { file, insert } from '../../src/build/tree.ts';
import type { DirNode } from '../../src/formats/tree.ts';
import { changedRoot } from './damage.ts';
import { BOOT, type Device, READY } from './device.ts';
import { fileAt, HEARTHD, prepend } from './tree.ts';
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

/** What the kernel reads of a program before it runs it. */
const ELF_HEADERS = 4096;

type Ruin = (root: DirNode) => void | Promise<void>;

/** Dies at once, until somebody mends it. */
const noHearthd: Ruin = (root) =>
  prepend(
    root,
    HEARTHD,
    "import { existsSync as isThere } from 'node:fs';\nif (!isThere('/run/mended')) throw new Error('no hearth');\n",
  );
/** It would still be executed, and end at once: zeros are where its instructions were. */
const badHeart: Ruin = async (root) => {
  const heart = fileAt(root, 'usr/sbin/heart');
  const bytes = await heart.content.read();
  insert(root, 'usr/sbin/heart', file(Buffer.from(bytes).fill(0, ELF_HEADERS), heart.mode));
};

/** S10: says so, tries in a bounded way, and has a shell for whoever comes. */
export const bothBad = (scene: Scene): Promise<Outcome> =>
  // Three failures of the slot that is preferred, the other one, and the first again: to stay.
  ruined(scene, { preferred: noHearthd, other: noHearthd, boots: 'ppppop' });

/** S10: a root that is not entered has no rescue: that of the other slot has to do. */
export const noRootAndBad = (scene: Scene): Promise<Outcome> =>
  ruined(scene, { preferred: badHeart, other: noHearthd, boots: 'ppppopo' });

/** S10: the slot that was to help is not entered; the one before goes on to its rescue. */
export const badAndNoRoot = (scene: Scene): Promise<Outcome> =>
  ruined(scene, { preferred: noHearthd, other: badHeart, boots: 'ppppop' });

/** Both slots are what they were, but for what is ruined: as if their roots had gone bad on the disk. */
async function ruined(
  { device, forge, build }: Scene,
  { preferred, other, boots: order }: { preferred: Ruin; other: Ruin; boots: string },
): Promise<Outcome> {
  const before = await device.status();
  const second = await build({});
  await mustStay(device, second);
  const operator = (await readFile(`${forge.key('update')}.pub`, 'utf8')).trim();
  const mayLogIn = await device.link.call(['key', 'add', operator]);
  must(mayLogIn.status === 0, mayLogIn.errorOutput);
  await device.powerOff();
  const { boots } = device;
  const slots = before.slot === 'a' ? ({ o: 'a', p: 'b' } as const) : ({ o: 'b', p: 'a' } as const);
  for (const [slot, version, ruin] of [
    [slots.o, before.version, other],
    [slots.p, second.version, preferred],
  ] as const)
    await device.overwriteRoot(
      slot,
      await forge.build(version, {
        ...forge.recipeOf(version),
        damage: () => changedRoot(forge.blocks, ruin),
      }),
    );
  await device.powerOn();
  const { console: lines, shell } = device.machine;
  const [said] = await lines.waitFor(/\[hearth\] rescue: .*; staying up/, { timeoutMs: 4 * BOOT.timeoutMs });
  const all = [...device.transcript.matchAll(/\[hearth\] slot (.) of/g)].map(([, slot]) => slot);
  const booted = all.slice(boots).map((slot) => (slot === slots.p ? 'p' : 'o'));
  must(booted.join('') === order, `it booted ${booted.join(' ')}`);
  await lines.waitFor('[hearth] rescue: hearthd is started again in 60 s', BOOT);
  must((await shell.text('echo somebody is here')).includes('somebody is here'), 'there is no shell');
  await mend(device);
  return { boots: device.boots - boots, reason: said.replace('[hearth] ', '') };
}

/** In rescue: by SSH, without hearthd. When that is back it takes over what it finds, and nothing restarts. */
async function mend(device: Device): Promise<void> {
  const { boots } = device;
  const { console: lines, shell } = device.machine;
  // By a key of the firmware, and by one that this device alone was given.
  await logIn(device, 'login', 'cat /run/hearth/boot');
  must(!READY.test(lines.transcript.slice(lines.transcript.lastIndexOf('rescue:'))), 'it is ready');
  await logIn(device, 'update', 'touch /run/mended; cat /run/hearth/boot');
  await lines.waitFor(READY, BOOT);
  const { state } = await device.status();
  must(state === 'idle', `the update is ${state}`);
  await shell.text('until ps -o args | grep -q "[h]eart wait"; do usleep 100000; done', BOOT);
  const clients = await shell.text('ps -o args | grep -c "[b]usybox udhcpc"');
  must(clients === '1', `${clients} DHCP clients run`);
  must(device.boots === boots, 'it has rebooted');
}

/** And runs a command that shows the boot file. The network comes when its drivers have. */
async function logIn(device: Device, key: 'login' | 'update', command: string): Promise<void> {
  for (const deadline = performance.now() + BOOT.timeoutMs; ; await delay(1_000)) {
    const shown = await device.typed(`${command}\nexit\n`, key);
    if (/^RESCUE=/m.test(shown)) return;
    must(performance.now() < deadline, `nobody can log in with the ${key} key: ${shown}`);
  }
}
