import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { loadConfig } from './settings.ts';

const folder = mkdtempSync(join(tmpdir(), 'hearth-config-'));
afterAll(() => rmSync(folder, { recursive: true }));
function file(text: string): string {
  const path = join(folder, 'config.json');
  writeFileSync(path, text);
  return path;
}

test('the values are frozen, all the way down', () => {
  const config = loadConfig(file('{"a": {"b": [1]}}')) as { a: { b: number[] } };
  expect(config).toEqual({ a: { b: [1] } });
  expect(() => config.a.b.push(2)).toThrow(TypeError);
});

test('without any file there is nothing configured; a named file must be there', () => {
  expect(loadConfig(undefined, join(folder, 'none'))).toEqual({});
  expect(() => loadConfig(join(folder, 'none'))).toThrow(/none.*ENOENT/);
});

test.each(['{', '[]', '7', 'null', ''])('%j is not a config, and the file is named', (text) => {
  const path = file(text);
  expect(() => loadConfig(path)).toThrow(path);
});
