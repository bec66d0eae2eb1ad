/** A signing key is replaced over three releases: fw's own steps, the shipped engine on a disk, ssh-keygen as a judge of each. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readFirmware } from '../../src/archive/read.ts';
import { findSigner } from '../../src/build/signing.ts';
import { loadProject } from '../../src/project/load.ts';
import { boot, firmware, flashed, install, type Machine } from '../../src/update/test-machine.ts';
import { fw, type Outcome } from './fw.ts';

let folder: string;
let keys: string;
let project: string;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'hearth-rotation-'));
  [keys, project] = [join(folder, 'keys'), join(folder, 'sensor')];
  mkdirSync(join(project, 'src'), { recursive: true });
  writeFileSync(join(project, 'src/app.ts'), '');
  const { key } = JSON.parse((await run('new', 'sensor', '--json')).stdout.replace('"publicKey"', '"key"'));
  writeFileSync(
    join(project, 'fw.config.ts'),
    `export default { name: 'hello', version: '1.0.0', app: 'src/app.ts', targets: ['rpi3'],\n  updateKeys: ['${key}'],\n};\n`,
  );
});
afterEach(() => rmSync(folder, { recursive: true }));

const run = (...args: string[]): Promise<Outcome> =>
  fw(['key', ...args], { cwd: project, env: { HEARTH_KEYS: keys } });

async function step(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await run(...args);
  expect(code, stderr).toBe(0);
  return stdout;
}
async function refused(...args: string[]): Promise<string> {
  const { code, stdout } = await run(...args, '--json');
  expect(code).toBe(1);
  return JSON.parse(stdout).error.code;
}

/** Release N, as the project would be signed and trusts now. */
async function release(n: number): Promise<{ file: Buffer; trusts: readonly string[] }> {
  const { config } = await loadProject(project);
  const by = await findSigner(await loadProject(project), { HEARTH_KEYS: keys });
  const file = await firmware(n, { by, trusts: config.updateKeys });
  judge(file, by.publicKey);
  return { file, trusts: config.updateKeys };
}

/** OpenSSH's word on who has signed. */
function judge(file: Buffer, publicKey: string): void {
  const at = (name: string): string => join(folder, name);
  writeFileSync(at('release.fw'), file);
  writeFileSync(at('allowed'), `anybody namespaces="hearth-firmware" ${publicKey}\n`);
  execFileSync('tar', ['xf', at('release.fw'), '-C', folder, 'manifest.json', 'manifest.json.sig']);
  const verify = ['-Y', 'verify', '-f', at('allowed'), '-I', 'anybody', '-n', 'hearth-firmware'];
  const said = execFileSync(
    'bash',
    ['-c', 'ssh-keygen "$@" <manifest.json', 'ssh-keygen', ...verify, '-s', 'manifest.json.sig'],
    {
      cwd: folder,
      encoding: 'utf8',
    },
  );
  expect(said).toContain('Good "hearth-firmware" signature');
}

/** A device takes a release in, tries it, and keeps it. What it trusts afterwards is what that release says. */
async function takes(machine: Machine, running: readonly string[], next: Buffer): Promise<void> {
  const { updater } = await boot(machine, { trustedKeys: running });
  await install(updater, next);
  await updater.try();
  const tried = await boot(machine);
  expect(tried.updater.trial).toBe(true);
  await tried.updater.validate('healthy');
}

async function refuses(machine: Machine, running: readonly string[], next: Buffer): Promise<string> {
  const { updater } = await boot(machine, { trustedKeys: running });
  const before = machine.pages.copy();
  const error = await install(updater, next).catch((thrown: { code: string }) => thrown);
  expect(Buffer.compare(machine.pages.read(0, before.size), before.read(0, before.size))).toBe(0);
  return (error as { code: string }).code;
}

test('three releases; who has missed the first one stays with the old key, and nobody is left without', async () => {
  const old = await release(1);
  const machine = { family: 'gpt' as const, pages: await flashed('gpt', old.file), armed: undefined };
  const late = { ...machine, pages: machine.pages.copy() };

  expect(await refused('rotate', '--drop', 'sensor')).toBe('last-update-key');
  expect(await refused('rotate', '--to', 'sensor-2')).toBe('no-such-update-key');

  const made = await step('rotate');
  expect(made).toContain('fw key rotate --to sensor-2');
  const first = await release(2);
  expect(first.trusts.map((line) => line.split(' ')[2])).toEqual(['sensor', 'sensor-2']);
  expect(await refused('rotate', '--drop', 'sensor')).toBe('key-still-signs');
  await takes(machine, old.trusts, first.file);

  expect(await step('rotate', '--to', 'sensor-2')).toContain('fw key rotate --drop sensor');
  const second = await release(3);
  expect(await refuses(late, old.trusts, second.file)).toBe('fw-key-not-trusted');
  await takes(machine, first.trusts, second.file);

  await step('rotate', '--drop', 'sensor');
  const third = await release(4);
  expect(third.trusts).toHaveLength(1);
  await takes(machine, second.trusts, third.file);
  // What the old key signs is worth nothing now, however new it is; nor does it come back by an older release.
  const stolen = await firmware(5, { by: await signerOf(old.trusts) });
  expect(await refuses(machine, third.trusts, stolen)).toBe('fw-key-not-trusted');
  expect(await refuses(machine, third.trusts, first.file)).toBe('fw-key-not-trusted');

  // Who came late gets there by the same way.
  await takes(late, old.trusts, first.file);
  await takes(late, first.trusts, second.file);
  await takes(late, second.trusts, third.file);
});

async function signerOf(trusts: readonly string[]) {
  const { config, ...rest } = await loadProject(project);
  return findSigner({ ...rest, config: { ...config, updateKeys: [...trusts] } }, { HEARTH_KEYS: keys });
}

test('a key whose private half is elsewhere is trusted, and does not sign here', async () => {
  const before = await release(1);
  execFileSync('ssh-keygen', [
    '-q',
    '-t',
    'ed25519',
    '-N',
    '',
    '-C',
    'colleague',
    '-f',
    join(folder, 'theirs'),
  ]);
  await step('trust', join(folder, 'theirs.pub'));
  expect(await refused('rotate', '--to', 'colleague')).toBe('signing-key-elsewhere');
  const { trusts, file } = await release(2);
  expect(trusts).toHaveLength(2);
  expect((await loadProject(project)).config.updateKeys).toEqual(trusts);
  const head = [];
  for await (const event of readFirmware([file], { trust: before.trusts })) head.push(event.type);
  expect(head[0]).toBe('manifest');
  expect(await refused('trust', join(folder, 'nothing.pub'))).toBe('key-missing');
  expect(await refused('trust', join(folder, 'theirs'))).toBe('bad-ssh-key');
  expect(await step('trust', 'sensor')).toContain('already');
});
