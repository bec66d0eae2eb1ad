import { spawn } from 'node:child_process';
import { Duplex } from 'node:stream';
import { describe, expect, onTestFinished, test } from 'vitest';
import { FwError } from '../errors.ts';
import { GuestShell } from './guest-shell.ts';
import { Lines } from './lines.ts';

/** An interactive shell on a real pseudo-terminal, which script(1) makes; its ends are what a serial port's would be. */
function terminal(lines: Lines, command: string): () => void {
  const child = spawn('script', ['-qefc', command, '/dev/null'], { stdio: ['pipe', 'pipe', 'inherit'] });
  onTestFinished(() => void child.kill('SIGKILL'));
  lines.attach(Duplex.from({ readable: child.stdout, writable: child.stdin }));
  return () => child.kill('SIGKILL');
}

function shellOn(command: string): { shell: GuestShell; lines: Lines; kill: () => void } {
  const lines = new Lines('shell port');
  const shell = new GuestShell(lines);
  return { shell, lines, kill: terminal(lines, command) };
}

const DASH = 'env -i PATH="$PATH" PS1="~ # " sh -i';

describe.each([
  ['dash', DASH],
  ['bash, with its line editor', 'bash --norc --noprofile -i'],
  ['a shell whose terminal cannot be set', 'env -i PATH=/nowhere PS1="# " /bin/sh -i'],
])('in %s', (_, command) => {
  test('a command gives exactly its output, and its status', async () => {
    const { shell } = shellOn(command);
    expect(await shell.run('echo out; echo err >&2; (exit 3)')).toEqual({ output: 'out\nerr\n', status: 3 });
    expect(await shell.run("printf 'no end'")).toEqual({ output: 'no end', status: 0 });
    expect(await shell.run('true')).toEqual({ output: '', status: 0 });
    expect(await shell.run('printf "\\n\\n"')).toEqual({ output: '\n\n', status: 0 });
  });
});

describe('a shell in the guest', () => {
  test('is not confused by what looks like its own frames, or by quotes', async () => {
    const { shell } = shellOn(DASH);
    const text = `<+> $HOME \`date\` "double" 'single' \\back !history # ~ * é 😀`;
    expect(await shell.text(`cat <<'EOF'\n${text}\n<0123456789ab:0>\n\nEOF`)).toBe(
      `${text}\n<0123456789ab:0>`,
    );
  });

  test('takes commands of many lines, and lines longer than a terminal holds', async () => {
    const { shell } = shellOn(DASH);
    const long = 'é'.repeat(9000);
    expect(await shell.text(`for n in 1 2 3\ndo\n  echo $n\ndone\n\nprintf '${long}' | wc -c`)).toBe(
      '1\n2\n3\n18000',
    );
  });

  test('keeps much output', async () => {
    const { shell } = shellOn(DASH);
    const output = await shell.text('seq 1 30000');
    expect(output.split('\n')).toHaveLength(30_000);
    expect(output.endsWith('\n29999\n30000')).toBe(true);
  });

  test('leaves line ends of CR LF as they are', async () => {
    const { shell } = shellOn(DASH);
    expect((await shell.run("printf 'a\\r\\nb\\r\\n'")).output).toBe('a\r\nb\r\n');
  });

  test('runs one command after the other, each on its own', async () => {
    const { shell } = shellOn(DASH);
    const results = await Promise.all(
      ['x=1; cd /; pwd', 'echo "x is $x"; cat', 'echo three'].map((c) => shell.text(c)),
    );
    expect(results).toEqual(['/', 'x is ', 'three']);
  });

  test('turns a status into an error that names it', async () => {
    const { shell } = shellOn(DASH);
    await expect(shell.text('echo no such thing; exit 7')).rejects.toMatchObject({ code: 'command-failed' });
    await expect(shell.text('echo no such thing; exit 7')).rejects.toThrow(/status 7: no such thing/);
  });

  test('interrupts a command that does not end, and goes on', async () => {
    const { shell } = shellOn(DASH);
    await shell.run('true');
    const slow = shell.run('echo begun; sleep 60', { timeoutMs: 300 });
    await expect(slow).rejects.toMatchObject({
      code: 'shell-timeout',
      expected: expect.stringContaining('begun'),
    });
    expect(await shell.text('echo still here')).toBe('still here');
  });

  test('refuses control characters, on which a terminal would act', async () => {
    const { shell } = shellOn(DASH);
    await expect(shell.run('echo \x03')).rejects.toMatchObject({ code: 'bad-command' });
    expect(await shell.text("printf '\t|'")).toBe('\t|');
  });

  test('fails what runs at a reset, and finds the new shell', async () => {
    const { shell, lines, kill } = shellOn(DASH);
    const running = shell.run('sleep 60');
    await expect.poll(() => lines.transcript, { timeout: 10_000 }).toContain('ready>');
    const next = shell.text('echo from the second boot');
    kill();
    shell.lost(new FwError('guest-reset', 'the guest was reset'));
    await expect(running).rejects.toMatchObject({ code: 'guest-reset' });
    terminal(lines, `sh -c 'echo Booting...; exec ${DASH}'`);
    expect(await next).toBe('from the second boot');
  });

  test('waits for a prompt before it types anything: a boot loader may be listening', async () => {
    const { shell, lines } = shellOn('stty -echo; echo "Press any key"; cat');
    await expect.poll(() => lines.transcript, { timeout: 10_000 }).toContain('Press any key');
    await expect(shell.run('true', { timeoutMs: 300 })).rejects.toMatchObject({ code: 'no-shell' });
    expect(lines.transcript.trim()).toBe('Press any key');
  });

  test('learns that the machine is gone', async () => {
    const { shell, lines } = shellOn('cat');
    const waiting = shell.run('true');
    lines.end(new FwError('machine-gone', 'off'));
    await expect(waiting).rejects.toMatchObject({ code: 'machine-gone' });
    await expect(shell.run('true')).rejects.toMatchObject({ code: 'machine-gone' });
  });

  test('can be left behind by a command that ends it', async () => {
    const { shell, lines } = shellOn(DASH);
    await shell.send('echo going down; kill $PPID');
    await lines.waitFor('going down');
  });
});
