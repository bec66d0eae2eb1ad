import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { logging } from '../logger/index.ts';
import { CallError, ReplyError, StartError } from '../process/errors.ts';
import { processTable } from '../process/process-table.ts';
import type { ExitReason } from '../process/reason.ts';
import { onReport, type Report } from '../process/reports.ts';
import { named, type ServerRef } from '../server/ref.ts';
import { start } from '../server/start.ts';
import { child } from '../supervisor/child-spec.ts';
import { startSupervisor, supervisor } from '../supervisor/supervisor.ts';
import { PortExitError, PortFrameError } from './errors.ts';
import { PortServer } from './port-server.ts';
import { type Program, port } from './program.ts';

let crashes: Report[];
let silence: () => void;
beforeEach(() => {
  logging.setLevel('port', 'none');
  crashes = [];
  silence = onReport((report) => {
    if (report.kind === 'crash' || report.kind === 'unanswered') crashes.push(report);
  });
});
afterEach(() => {
  logging.resetLevel('port');
  silence();
  for (const process of processTable.values()) process.kill('killed');
});

const ended = (pid: number) =>
  vi.waitFor(() => expect(() => process.kill(pid, 0)).toThrow(), { timeout: 10_000 });

/** Answers to each line with its length; `exit N` ends it. */
// biome-ignore lint/suspicious/noTemplateCurlyInString: it is the shell's
const COUNTER = 'while read -r w n; do case $w in exit) echo bye >&2; exit $n;; *) echo ${#w};; esac; done';

class Lengths extends PortServer<string> {
  override async init(code = COUNTER): Promise<void> {
    await this.open({ command: 'sh', args: ['-c', code], line: true });
  }
  async of(word: string): Promise<number> {
    await this.port.send(word);
    return Number(await this.port.receive(10_000));
  }
  pid(): number {
    return this.port.pid;
  }
  quit(): void {
    this.stop();
  }
}

describe('a server that owns a program', () => {
  test('asks it within a handler, one question at a time', async () => {
    const lengths = await start(Lengths, { args: [] });
    const words = ['a', 'bcd', 'ef'];
    expect(await Promise.all(words.map((word) => lengths.call('of', word)))).toEqual([1, 3, 2]);
    const pid = await lengths.call('pid');
    lengths.cast('quit');
    expect(await lengths.ended()).toBe('normal');
    // Its end was waited for.
    expect(() => process.kill(pid, 0)).toThrow();
  });

  test('ends with the program: status and last words are the reason, reported once', async () => {
    const lengths = await start(Lengths, { args: [] });
    const asked = await lengths.call('of', 'exit 3').catch((error: CallError) => error);
    const reason = await lengths.ended();
    expect(reason).toBeInstanceOf(PortExitError);
    expect(reason).toMatchObject({ status: 3, lastLines: ['bye'] });
    expect(asked).toBeInstanceOf(CallError);
    expect(asked).toMatchObject({ cause: reason });
    expect(crashes).toHaveLength(1);
  });

  test('ends with a program that ends while nobody asks', async () => {
    const lengths = await start(Lengths, { args: ['sleep 0.05; exit 4'] });
    expect(await lengths.ended()).toMatchObject({ status: 4 });
    expect(crashes).toMatchObject([{ reason: { status: 4 } }]);
  });

  test('ends normally with a program that has done its work', async () => {
    const lengths = await start(Lengths, { args: ['exit 0'] });
    expect(await lengths.ended()).toBe('normal');
    expect(crashes).toEqual([]);
  });

  test('killed, it leaves no program', async () => {
    const lengths = await start(Lengths, { args: ['trap "" TERM; while :; do sleep 0.05; done'] });
    const pid = await lengths.call('pid');
    lengths.exit('kill');
    await ended(pid);
  });

  test('does not start without it', async () => {
    class Lost extends PortServer {
      override async init(): Promise<void> {
        await this.open({ command: 'no-such-program', packet: 4 });
      }
    }
    const error = await start(Lost).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(StartError);
    expect((error as StartError).reason).toMatchObject({ code: 'port-start' });
  });

  test('a start that waits for the program fails when it ends', async () => {
    class Eager extends PortServer<string> {
      override async init(): Promise<void> {
        await this.open({ command: 'sh', args: ['-c', 'echo no >&2; exit 9'], line: true });
        await this.port.receive();
      }
    }
    const error = await start(Eager).catch((thrown: unknown) => thrown);
    expect((error as StartError).reason).toMatchObject({ status: 9, lastLines: ['no'] });
  });
});

describe('frames as messages', () => {
  class Sum extends PortServer<string> {
    #sum = 0;
    #seen: ((line: string) => unknown) | undefined;
    override async init(code: string, seen?: (line: string) => unknown): Promise<void> {
      this.#seen = seen;
      await this.open({ command: 'sh', args: ['-c', code], line: true });
    }
    protected override async output(line: string): Promise<void> {
      await this.#seen?.(line);
      this.#sum += Number(line);
    }
    sum(): number {
      return this.#sum;
    }
  }

  test('are handled one at a time, all of them before the end', async () => {
    const seen: string[] = [];
    const sum = await start(Sum, { args: ['for i in 1 2 3 4; do echo $i; done', (line) => seen.push(line)] });
    expect(await sum.ended()).toBe('normal');
    expect(seen).toEqual(['1', '2', '3', '4']);
  });

  test('let other messages in between them, however many there are', async () => {
    const sum = await start(Sum, { args: ['while echo 1; do :; done'] });
    const first = await sum.call('sum');
    await vi.waitFor(async () => expect(await sum.call('sum')).toBeGreaterThan(first + 1_000), 10_000);
    expect(sum.process().mailboxLength).toBeLessThanOrEqual(1);
    sum.exit('shutdown');
    expect(await sum.ended()).toBe('shutdown');
  });

  test('a handler that throws ends server and program; ReplyError does not', async () => {
    const sum = await start(Sum, {
      args: [
        'echo 1; echo 2; echo 3; sleep 1000',
        (line) => {
          if (line === '1') throw new ReplyError('not this one');
          if (line === '3') throw new Error('three');
        },
      ],
    });
    expect(await sum.ended()).toMatchObject({ message: 'three' });
    expect(crashes.map(({ kind }) => kind)).toEqual(['unanswered', 'crash']);
  });
});

describe('a program as a child', () => {
  test('is restarted by its supervisor, and stopped with it', async () => {
    const top = await startSupervisor(
      supervisor({
        children: [port({ command: 'sh', args: ['-c', COUNTER], line: true, name: 'lengths' })],
      }),
    );
    const lengths = named<Program<string>>('lengths');
    expect(await lengths.call('request', 'word')).toBe('4');
    const before = await lengths.call('pid');
    const restarted = new Promise<void>((resolve) => {
      const stop = onReport((report) => {
        if (report.kind !== 'progress' || report.process.name !== 'lengths') return;
        stop();
        resolve();
      });
    });
    process.kill(before, 'SIGKILL');
    await restarted;
    const after = await lengths.call('pid');
    expect(after).not.toBe(before);
    expect(await lengths.call('request', 'again')).toBe('5');
    await top.stop();
    expect(() => process.kill(after, 0)).toThrow();
  });

  test('a class of its own is a child like any other', async () => {
    const top = await startSupervisor(
      supervisor({ children: [child(Lengths, { args: [], name: 'own', restart: 'transient' })] }),
    );
    expect(await named<Lengths>('own').call('of', 'abc')).toBe(3);
    await top.stop();
  });

  test('what cannot be a frame is the error of who sends it, and nobody else is told', async () => {
    const spec = port({ command: 'sh', args: ['-c', COUNTER], line: 5, id: 'short' });
    const ref = (await spec.start(undefined)) as ServerRef<Program<string>>;
    await expect(ref.call('request', 'too long')).rejects.toMatchObject({ code: 'port-frame' });
    await expect(ref.call('send', 'a\nb')).rejects.toBeInstanceOf(PortFrameError);
    expect(await ref.call('request', 'short')).toBe('5');
    expect(crashes).toEqual([]);
    ref.exit('shutdown');
    await ref.ended();
  });

  test('a request that is not answered ends it: the next answer would be the wrong one', async () => {
    const spec = port({ command: 'cat', raw: true, id: 'silent' });
    const ref = (await spec.start(undefined)) as ServerRef<Program>;
    const reason = ref.ended();
    await ref.call('request', Buffer.from(''), 10).catch(() => undefined);
    expect(await reason).toMatchObject({ code: 'port-timeout' } satisfies Partial<Record<string, unknown>>);
  });

  test('what it says goes to who wants it', async () => {
    const got: string[] = [];
    const spec = port({
      command: 'sh',
      args: ['-c', 'echo a; echo b'],
      line: true,
      onOutput: (line) => got.push(line),
    });
    const reason: ExitReason | undefined = await (await spec.start(undefined))?.ended();
    expect(reason).toBe('normal');
    expect(got).toEqual(['a', 'b']);
  });

  test('types: frames are what the framing says', async () => {
    const check = (lines: ServerRef<Program<string>>, packets: ServerRef<Program>) => {
      // @ts-expect-error: a line is a string.
      lines.cast('send', Buffer.from(''));
      // @ts-expect-error: a packet is bytes.
      packets.cast('send', '');
      // @ts-expect-error: one framing only.
      port({ command: 'cat', line: true, packet: 4 });
      // @ts-expect-error: no such length.
      port({ command: 'cat', packet: 3 });
    };
    expect(check).toBeTypeOf('function');
  });
});
