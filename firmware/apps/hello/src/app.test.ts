import assert from 'node:assert/strict';
import { test } from 'node:test';
import { page } from './page.ts';

const facts = {
  product: 'hello',
  version: '1.0.0',
  target: 'x86_64',
  slot: 'a',
  uuid: '3f8e',
  node: 'v24.0.0',
  uptime: 12.4,
  memoryTotal: 1024 * 1024 * 1024,
  memoryAvailable: 512 * 1024 * 1024,
};

test('the page says what it runs on', () => {
  const html = page('Hello', facts);
  for (const text of ['x86_64', 'hello 1.0.0', '3f8e', 'v24.0.0', '12 s', '512 of 1024 MiB'])
    assert.ok(html.includes(text), text);
});

test('a greeting cannot inject markup', () => {
  assert.ok(!page('<script>', facts).includes('<script>'));
});
