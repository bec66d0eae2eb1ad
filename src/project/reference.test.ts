import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { loadProject } from './load.ts';
import { configReference, EXAMPLE } from './reference.ts';
import { appSchema, configSchema, networkSchema } from './schema.ts';

test('docs/config.md is what the schema says (scripts/node scripts/docs-config.ts writes it)', () => {
  const committed = readFileSync(new URL('../../docs/config.md', import.meta.url), 'utf8');
  expect(committed).toBe(configReference());
});

test('every field has a row with a description', () => {
  const text = configReference();
  for (const schema of [configSchema, appSchema, networkSchema]) {
    for (const name of Object.keys(schema.shape))
      expect(text).toMatch(new RegExp(`^\\| \`${name}\` \\| .+ \\| .* \\| \\S.{10,} \\|$`, 'm'));
  }
});

test('the example of the page is a project that loads', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'hearth-reference-'));
  try {
    mkdirSync(join(dir, 'src'));
    writeFileSync(join(dir, 'src', 'app.ts'), '');
    writeFileSync(join(dir, 'fw.config.ts'), EXAMPLE);
    expect((await loadProject(dir)).config).toMatchObject({ name: 'weather', config: { port: 8080 } });
  } finally {
    rmSync(dir, { recursive: true });
  }
});
