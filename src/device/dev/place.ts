import { createHash } from 'node:crypto';
import { mkdir, readdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { inflate } from 'node:zlib';
import { FwError } from '../../errors.ts';
import type { Push } from './frame.ts';

export interface Places {
  /** In memory; made when missing. */
  folder: string;
  /** The firmware's own app. */
  appFolder: string;
}

const CODE = 'app.mjs';
const CONFIG = 'config.json';
/** What the firmware's own code is, and what goes with it. */
const OWN: readonly string[] = [CODE, `${CODE}.map`, CONFIG];

/**
 * Puts code that was sent where the app is started from, with all that it finds beside itself. What was there before is
 * whole until the new code is.
 * @throws FwError `dev-code-damaged`, `dev-addons-missing`
 */
export async function placeCode(
  deflated: Uint8Array,
  push: Push,
  { folder, appFolder }: Places,
): Promise<void> {
  const code = await inflated(deflated, push);
  const beside = (await readdir(appFolder)).filter((name) => !OWN.includes(name));
  const missing = push.addons.filter((name) => !beside.includes(name));
  if (missing.length > 0) throw addonsMissing(missing, appFolder);
  await mkdir(folder, { recursive: true });
  for (const name of beside) await link(join(appFolder, name), join(folder, name));
  await replace(join(folder, CONFIG), `${JSON.stringify(push.config)}\n`);
  await replace(join(folder, CODE), code);
}

async function inflated(deflated: Uint8Array, { size, sha256 }: Push): Promise<Buffer> {
  const code = await promisify(inflate)(deflated, { maxOutputLength: size }).catch((cause: unknown) => {
    throw damaged((cause as Error).message, cause);
  });
  const found = createHash('sha256').update(code).digest('hex');
  if (code.length !== size || found !== sha256) throw damaged(`${code.length} bytes, SHA-256 ${found}`);
  return code;
}

async function link(target: string, path: string): Promise<void> {
  await rm(path, { force: true });
  await symlink(target, path);
}

async function replace(path: string, content: string | Uint8Array): Promise<void> {
  await writeFile(`${path}.part`, content);
  await rename(`${path}.part`, path);
}

function damaged(where: string, cause?: unknown): FwError {
  return new FwError('dev-code-damaged', 'the code that has arrived is not the code that was announced', {
    where,
    remedy: 'Save the file again.',
    ...(cause === undefined ? {} : { cause }),
  });
}

function addonsMissing(names: readonly string[], where: string): FwError {
  const many = names.length > 1;
  return new FwError(
    'dev-addons-missing',
    `the app needs ${many ? 'native addons' : 'a native addon'} that the firmware on the device does not have: ${names.join(', ')}`,
    {
      where,
      expected: 'the same addons, to the byte, in the firmware',
      remedy: 'Only code is sent: install a firmware with them once, fw upload HOST, and go on.',
    },
  );
}
