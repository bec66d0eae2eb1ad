import { once } from 'node:events';
import { expect, test } from 'vitest';
import { type CommandBlock, commands, outputPattern } from '../docs/blocks.ts';
import { blocksOf, FIRST_PAGE } from '../docs/pages.ts';
import { Sandbox } from '../docs/sandbox.ts';

const SELF = 'test/emulator/docs.test.ts';
const GUEST = '8080';

const isOurs = ({ marker }: CommandBlock): boolean => marker?.kind === 'run-by' && marker.test === SELF;

// The packed package, a new project, and its app's answer from the emulated device: command by command as the page
// has them, but for the host's port, which may be taken here.
test(`${FIRST_PAGE} leads to an app that answers`, async () => {
  await using sandbox = await Sandbox.open();
  await sandbox.pack();
  const blocks = blocksOf(FIRST_PAGE);
  const first = blocks.findIndex(isOurs);
  const before = blocks.slice(0, first).filter(({ marker }) => marker === undefined);
  const ours = blocks.filter(isOurs).flatMap(commands);
  const [boot] = ours.filter(({ text }) => text.includes(' run '));
  if (!boot) throw new Error(`${FIRST_PAGE} boots nothing`);
  const [checks, asks] = [ours.slice(0, ours.indexOf(boot)), ours.slice(ours.indexOf(boot) + 1)];
  expect(checks.length * asks.length).toBeGreaterThan(0);

  const succeeds = async (text: string, prints?: string): Promise<void> => {
    const { code, output } = await sandbox.run(text);
    expect(code, `${text}\n${output}`).toBe(0);
    if (prints !== undefined) expect(output, text).toMatch(outputPattern(prints));
  };
  for (const { text, prints } of [...before.flatMap(commands), ...checks]) await succeeds(text, prints);

  const machine = sandbox.start(boot.text.replace(`${GUEST}:${GUEST}`, `0:${GUEST}`));
  const ended = once(machine, 'close');
  let said = '';
  const shown = (pattern: RegExp): Promise<RegExpExecArray> =>
    new Promise((resolve, reject) => {
      const look = (text = ''): void => {
        said += text;
        const match = pattern.exec(said);
        if (match) resolve(match);
      };
      for (const stream of [machine.stdout, machine.stderr]) stream.on('data', look);
      machine.once('close', () => reject(new Error(`it ended before it printed ${pattern}:\n${said}`)));
      look();
    });
  try {
    const [, port] = await shown(/127\.0\.0\.1:(\d+) leads to/);
    await shown(/\[hearth\] ready target=x86_64 .*\n/);
    for (const { text, prints } of asks)
      await succeeds(text.replace(`127.0.0.1:${GUEST}`, `127.0.0.1:${port}`), prints);
  } finally {
    // Ctrl-C, which a terminal sends to all of them.
    if (machine.exitCode === null) process.kill(-(machine.pid ?? 0), 'SIGINT');
    await ended;
  }
});
