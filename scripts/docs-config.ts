// Writes docs/config.md from the schema of fw.config.ts. `scripts/node scripts/docs-config.ts`
import { writeFileSync } from 'node:fs';
import { configReference } from '../src/project/reference.ts';

writeFileSync(new URL('../docs/config.md', import.meta.url), configReference());
