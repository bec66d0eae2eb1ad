import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deflateSync } from 'node:zlib';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Push } from './frame.ts';
import { placeCode } from './place.ts';

let root: string;
const at = (path: string): string => join(root, path);
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'hearth-place-'));
  mkdirSync(at('srv'));
  for (const name of ['app.mjs', 'app.mjs.map', 'config.json', 'package.json', 'led-0123.node'])
    writeFileSync(at(`srv/${name}`), name);
});
afterEach(() => rmSync(root, { recursive: true }));

const pushOf = (code: string, rest: Partial<Push> = {}): Push => ({
  ...{ size: code.length, sha256: createHash('sha256').update(code).digest('hex') },
  ...{ addons: [], config: { name: 'x' }, ...rest },
});
const place = (deflated: Uint8Array, push: Push): Promise<void> =>
  placeCode(deflated, push, { folder: at('dev'), appFolder: at('srv') });
const refused = (code: string) => expect.objectContaining({ code });

test('the code stands beside all that the firmware has beside its own, and has the config that came with it', async () => {
  for (const code of ['one', 'two'])
    await place(deflateSync(code), pushOf(code, { addons: ['led-0123.node'] }));
  expect(readFileSync(at('dev/app.mjs'), 'utf8')).toBe('two');
  expect(readFileSync(at('dev/config.json'), 'utf8')).toBe('{"name":"x"}\n');
  expect(readFileSync(at('dev/led-0123.node'), 'utf8')).toBe('led-0123.node');
  expect(readFileSync(at('dev/package.json'), 'utf8')).toBe('package.json');
  expect(existsSync(at('dev/app.mjs.map'))).toBe(false);
});

test.each<[string, Uint8Array, Push]>([
  ['other code', deflateSync('eno'), pushOf('one')],
  ['shorter', deflateSync('one'), { ...pushOf('one'), size: 4 }],
  ['longer', deflateSync('one'), { ...pushOf('one'), size: 2 }],
  ['a bomb', deflateSync(Buffer.alloc(10_000_000)), pushOf('one')],
  ['cut short', deflateSync('one').subarray(0, 5), pushOf('one')],
  ['not deflated', Buffer.from('one'), pushOf('one')],
])('%s is refused, and what was there stays', async (_, deflated, push) => {
  await place(deflateSync('old'), pushOf('old'));
  await expect(place(deflated, push)).rejects.toEqual(refused('dev-code-damaged'));
  expect(readFileSync(at('dev/app.mjs'), 'utf8')).toBe('old');
});

test('addons that the firmware does not have are named', async () => {
  const push = pushOf('one', { addons: ['led-0123.node', 'led-4567.node', 'usb-0123.node'] });
  await expect(place(deflateSync('one'), push)).rejects.toMatchObject({
    code: 'dev-addons-missing',
    message: expect.stringMatching(/: led-4567\.node, usb-0123\.node$/),
  });
  expect(existsSync(at('dev/app.mjs'))).toBe(false);
});
