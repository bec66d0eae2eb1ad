import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { toolkitSpec } from './toolkit-spec.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'hearth-spec-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

/** A toolkit in a folder of the test's, and what npm has recorded beside it: what a new project beside it depends on. */
function spec(path: string, packages?: object): string {
  const toolkit = join(dir, path);
  mkdirSync(toolkit, { recursive: true });
  writeFileSync(join(toolkit, 'package.json'), JSON.stringify({ version: '1.2.3' }));
  if (packages) writeFileSync(join(toolkit, '..', '.package-lock.json'), JSON.stringify({ packages }));
  return toolkitSpec(join(dir, 'new', 'sensor'), toolkit);
}

test('a toolkit from a registry is asked for by its exact version', () => {
  const resolved = 'https://registry.example/hearthfw-1.2.3.tgz';
  expect(spec('app/node_modules/hearthfw', { 'node_modules/hearthfw': { resolved } })).toBe('1.2.3');
});

test('so is one that npm has no record of: installed globally, or by another program', () => {
  expect(spec('lib/node_modules/hearthfw')).toBe('1.2.3');
  expect(spec('app/node_modules/hearthfw', {})).toBe('1.2.3');
});

test('one from a tarball is asked for by the tarball, as seen from the new project', () => {
  const resolved = 'file:../hearthfw-1.2.3.tgz';
  expect(spec('app/node_modules/hearthfw', { 'node_modules/hearthfw': { resolved } })).toBe(
    'file:../../hearthfw-1.2.3.tgz',
  );
});

test('a checkout is asked for by its folder', () => {
  expect(spec('checkout')).toBe('file:../../checkout');
});

test('through links npm looks from where a folder really is', () => {
  mkdirSync(join(dir, 'real', 'deep', 'er'), { recursive: true });
  symlinkSync('real/deep/er', join(dir, 'new'));
  expect(spec('checkout')).toBe('file:../../../../checkout');
});

test('the toolkit that runs this test is a checkout', () => {
  expect(toolkitSpec('/sensor')).toMatch(/^file:.*[^/]$/);
});
