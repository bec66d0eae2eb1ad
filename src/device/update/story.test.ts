import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { STORY } from './story.ts';

const page = readFileSync(new URL('../../../docs/troubleshooting.md', import.meta.url), 'utf8');
const [, section = ''] = /### Updates and SSH\n(.*?)\n### /s.exec(page) ?? [];
const documented = [...section.matchAll(/^\| `([^`]+)` \|/gm)].map(([, line = '']) => line);

test.each(
  Object.entries({
    coming: STORY.coming('…'),
    refused: STORY.refused('…'),
    staged: STORY.staged('1.2.3', '…'),
    trial: STORY.trial('1.2.3', 30, 300),
    manual: STORY.manual('1.2.3', 300),
    again: STORY.again('1.2.3'),
    validated: STORY.validated('1.2.3', '…'),
    givingUp: STORY.givingUp('1.2.3', '…'),
    reverted: STORY.reverted('1.2.3', '…'),
    off: STORY.off('…'),
  } satisfies Record<keyof typeof STORY, string>),
)('the line of %s is in docs/troubleshooting.md as the console shows it', (_, line) => {
  expect(documented).toContain(line);
});
