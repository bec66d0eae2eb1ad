import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Duplex, PassThrough } from 'node:stream';
import { Argument, Command } from 'commander';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { bashCompletion } from '../../src/cli/completion/bash.ts';
import { fishCompletion } from '../../src/cli/completion/fish.ts';
import { describeTree } from '../../src/cli/completion/tree.ts';
import { zshCompletion } from '../../src/cli/completion/zsh.ts';
import { Lines } from '../../src/host/lines.ts';
import { fwJson } from './fw.ts';

/** The real shells, on a terminal of their own, and a hand that presses Tab. */
const SHELLS = {
  bash: {
    command: 'bash --noprofile --norc -i',
    // A Tab that finds several completes what they have in common and rings; it must not list them.
    setup: (script: string) => `PS1=; bind 'set enable-bracketed-paste off'; source ${script}
fw() { printf 'GOT'; printf '<%s>' "$@"; echo; }`,
  },
  zsh: {
    command: 'zsh -f -i',
    setup: (
      script: string,
    ) => `PS1=; unsetopt prompt_sp zle_bracketed_paste; autoload -Uz compinit; compinit -u -D; source ${script}
fw() { printf 'GOT'; printf '<%s>' "$@"; echo; }`,
  },
  fish: {
    command: 'fish --private --no-config -i',
    setup: (script: string) => `function fish_prompt; end; source ${script}
function fw; printf 'GOT'; printf '<%s>' $argv; echo; end`,
  },
} as const;
type Shell = keyof typeof SHELLS;

let dir: string;
beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'hearth-completion-'));
  mkdirSync(join(dir, 'project'));
  for (const name of ['hello-1.0.0-rpi3.fw', 'hello.txt', 'readme.txt', 'disk.img', 'id_key'])
    writeFileSync(join(dir, 'project', name), '');
  mkdirSync(join(dir, 'project', 'apps'));
  for (const shell of Object.keys(SHELLS)) {
    const { script } = await fwJson<{ script: string }>(['completion', shell]);
    writeFileSync(join(dir, `fw.${shell}`), script);
  }
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

/** What shells give a meaning to, in words that people read. */
const ODD = `it's [odd]: $HOME \`id\` \\ "quoted" (all) %s; #1`;

/** A shell that has sourced the script, and in which `fw` prints the words that it was given. */
async function start(
  shell: Shell,
  script = join(dir, `fw.${shell}`),
): Promise<(keys: string) => Promise<string>> {
  const { command, setup } = SHELLS[shell];
  const child = spawn('script', ['-qefc', command, '/dev/null'], {
    cwd: join(dir, 'project'),
    env: { PATH: process.env.PATH, HOME: dir, TERM: 'dumb', LC_ALL: 'C.UTF-8', XDG_CONFIG_HOME: dir },
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  const screen = new Lines(shell);
  screen.attach(Duplex.from({ readable: child.stdout, writable: new PassThrough() }));
  child.stdin.write(`${setup(script)}\nfw ready now\n`);
  await screen.waitFor('GOT<ready><now>', { timeoutMs: 60_000 });
  return async (keys) => {
    child.stdin.write(`${keys}\n`);
    const [, words = ''] = await screen.waitFor(/GOT(<.*>)/, { timeoutMs: 60_000 });
    return words.slice(1, -1).split('><').join(' ');
  };
}

describe.each(Object.keys(SHELLS) as Shell[])('%s', (shell) => {
  test('completes verbs, options, choices, files and folders', async () => {
    const press = await start(shell);
    const typed = [
      ['bui', 'build'],
      ['comp', 'completion'],
      ['key exp', 'key export'],
      ['help bui', 'help build'],
      ['build --tar', 'build --target'],
      ['build --target x86', 'build --target x86_64'],
      ['build -t rp', 'build -t rpi3'],
      ['image he', 'image hello-1.0.0-rpi3.fw'],
      ['image hello-1.0.0-rpi3.fw -o di', 'image hello-1.0.0-rpi3.fw -o disk.img'],
      ['run --fresh he', 'run --fresh hello-1.0.0-rpi3.fw'],
      ['completion f', 'completion fish'],
      ['--ver', '--version'],
    ];
    for (const [keys, expected] of typed) expect(await press(`fw ${keys}\t`), keys).toBe(expected);
    // zsh takes the slash away again when the line ends there.
    expect(await press('fw build --json --app ap\t')).toMatch(/^build --json --app apps\/?$/);
  });

  test('completes a value behind =', async () => {
    const press = await start(shell);
    expect(await press('fw build --target=rp\t')).toBe('build --target=rpi3');
  });

  test('is not led astray by what descriptions say', async () => {
    const odd = new Command('odd').description(ODD).option('--wide <file.fw>', ODD).option('--wild', ODD);
    const tree = describeTree(
      new Command('fw').addCommand(odd.addArgument(new Argument('<x>', ODD).choices(['one']))),
    );
    const script = join(dir, `odd.${shell}`);
    const write = { bash: bashCompletion, zsh: zshCompletion, fish: fishCompletion }[shell];
    writeFileSync(script, write(tree));
    const press = await start(shell, script);
    for (const [keys, expected] of [
      ['od', 'odd'],
      ['odd --wil', 'odd --wild'],
      ['odd --wide he', 'odd --wide hello-1.0.0-rpi3.fw'],
      ['odd o', 'odd one'],
    ] as const)
      expect(await press(`fw ${keys}\t`), keys).toBe(expected);
  });

  test('offers nothing where the word is the user’s to know, and no option of another verb', async () => {
    const press = await start(shell);
    expect(await press('fw image --size re\t')).toBe('image --size re');
    expect(await press('fw image --fre\t')).toBe('image --fre');
  });
});
