import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { StartError } from '../process/errors.ts';
import { AlreadyStartedError, whereis } from '../process/names.ts';
import { processTable } from '../process/process-table.ts';
import { type ExitReason, Shutdown } from '../process/reason.ts';
import { onReport, type Report } from '../process/reports.ts';
import { named, type ServerRef } from './ref.ts';
import { Server } from './server.ts';
import { start } from './start.ts';

let reports: Report[];
let silence: () => void;
beforeEach(() => {
  reports = [];
  silence = onReport((report) => reports.push(report));
});
afterEach(() => {
  vi.useRealTimers();
  silence();
  for (const process of processTable.values()) process.kill('killed');
});

type Log = (what: unknown) => void;

class Life extends Server {
  #log: Log = () => undefined;
  #atEnd: (reason: ExitReason) => unknown = () => undefined;

  override init(log: Log, atEnd: (reason: ExitReason) => unknown = () => undefined): unknown {
    this.#log = log;
    this.#atEnd = atEnd;
    log('init');
    return undefined;
  }
  override terminate(reason: ExitReason): unknown {
    this.#log(reason);
    return this.#atEnd(reason);
  }
  override timeout(): void {
    this.#log('timeout');
  }
  override info(message: unknown): void {
    this.#log(message);
  }
  ping(): string {
    return 'pong';
  }
  quit(reason?: ExitReason): string {
    this.stop(reason);
    this.#log('still at work');
    return 'answered';
  }
  async quitSlowly(until: Promise<unknown>): Promise<string> {
    this.stop('shutdown');
    await until;
    this.#log('done');
    return 'answered';
  }
  wait(until: Promise<unknown>): Promise<unknown> {
    return until;
  }
  fail(): void {
    throw new Error('boom');
  }
  follow(): void {
    this.continueWith(() => {
      this.#log('first');
      this.continueWith(() => this.#log('third'));
    });
    this.continueWith(async () => {
      await null;
      this.#log('second');
    });
  }
  patience(ms: number): void {
    this.setTimeout(ms);
  }
  remind(ms: number, what: unknown): Disposable {
    return this.sendAfter(ms, what);
  }
  aborted(): AbortSignal {
    return this.signal;
  }
}

function life(atEnd?: (reason: ExitReason) => unknown, name?: string) {
  const log: unknown[] = [];
  const push: Log = (what) => log.push(what);
  const ref = start(Life, { args: [push, atEnd], name });
  return { log, ref };
}

test('init runs before start resolves; messages that came meanwhile are handled after it', async () => {
  let ready: () => void = () => undefined;
  class Slow extends Server {
    #state = 'none';
    override async init(): Promise<void> {
      named<Slow>('slow').cast('set', 'from outside');
      this.continueWith(() => this.set('continued'));
      await new Promise<void>((resolve) => {
        ready = resolve;
      });
      this.#state = 'init';
    }
    readonly states: string[] = [];
    set(state: string): void {
      this.states.push(this.#state);
      this.#state = state;
    }
    get(): string[] {
      return [...this.states, this.#state];
    }
  }
  const starting = start(Slow, { name: 'slow' });
  const early = named<Slow>('slow').call('get');
  ready();
  await starting;
  expect(await early).toEqual(['init', 'continued', 'from outside']);
});

test('a start fails with what init threw, at once or later, and leaves nothing behind', async () => {
  class Bad extends Server {
    override init(how: 'throw' | 'reject' | 'stop' | 'stop later'): unknown {
      if (how === 'throw') throw new Error('no disk');
      if (how === 'reject') return Promise.reject(new Error('no disk'));
      if (how === 'stop') this.stop(new Error('no disk'));
      else {
        queueMicrotask(() => this.stop(new Error('no disk')));
        return new Promise(() => undefined);
      }
      return undefined;
    }
  }
  const before = processTable.size;
  for (const how of ['throw', 'reject', 'stop', 'stop later'] as const) {
    const starting = start(Bad, { args: [how], name: 'bad' });
    await expect(starting).rejects.toBeInstanceOf(StartError);
    await expect(starting).rejects.toMatchObject({ code: 'start-failed', cause: { message: 'no disk' } });
    expect(whereis('bad')).toBeUndefined();
  }
  class BadConstructor extends Server {
    readonly field = JSON.parse('{');
  }
  await expect(start(BadConstructor)).rejects.toThrow(/BadConstructor did not start: SyntaxError/);
  expect(processTable.size).toBe(before);
});

test('an init that takes too long is given up; what it does then changes nothing', async () => {
  let over: () => void = () => undefined;
  class Hanging extends Server {
    override init(): Promise<void> {
      return new Promise((resolve) => {
        over = resolve;
      });
    }
  }
  const starting = start(Hanging, { startTimeoutMs: 10, name: 'hanging' });
  const process = whereis('hanging');
  await expect(starting).rejects.toThrow(/init took longer than 10 ms/);
  over();
  await null;
  expect(process?.status).toBe('dead');
  expect(whereis('hanging')).toBeUndefined();
});

test('an exit signal ends a start', async () => {
  class Hanging extends Server {
    override init(): Promise<void> {
      return new Promise(() => undefined);
    }
  }
  const starting = start(Hanging, { name: 'hanging' });
  named('hanging').exit('shutdown');
  await expect(starting).rejects.toMatchObject({ reason: 'shutdown' });
});

test('a name belongs to one living process', async () => {
  const first = await life(undefined, 'the one').ref;
  const second = life(undefined, 'the one').ref;
  await expect(second).rejects.toBeInstanceOf(AlreadyStartedError);
  await expect(second).rejects.toMatchObject({ code: 'already-started', holder: first.find() });
  expect(named('the one').find()).toBe(first.find());
  first.exit('kill');
  const third = await life(undefined, 'the one').ref;
  expect(await named<Life>('the one').call('ping')).toBe('pong');
  expect(third.toString()).toMatch(/^the one#\d+$|^the one$/);
});

test('a server is not made by new', () => {
  expect(() => new Life()).toThrow(/made by start\(\)/);
});

test.each([undefined, 'shutdown', new Shutdown('moving'), new Error('cannot go on')] as const)(
  'stop(%s): the handler at work finishes, its call is answered, terminate learns why',
  async (reason) => {
    const { log, ref: starting } = life();
    const ref = await starting;
    const quit = ref.call('quit', reason);
    const behind = ref.call('ping');
    expect(await quit).toBe('answered');
    await expect(behind).rejects.toMatchObject({ reason: reason ?? 'normal' });
    expect(await ref.ended()).toBe(reason ?? 'normal');
    expect(log).toEqual(['init', 'still at work', reason ?? 'normal']);
    const crashes = reports.filter(({ kind }) => kind === 'crash');
    expect(crashes).toHaveLength(reason instanceof Error ? 1 : 0);
  },
);

test('stop() in an async handler waits for it, and tells its signal', async () => {
  const { log, ref: starting } = life();
  const ref = await starting;
  let open: () => void = () => undefined;
  const until = new Promise<void>((resolve) => {
    open = resolve;
  });
  const signal = await ref.call('aborted');
  const quit = ref.call('quitSlowly', until);
  await new Promise(setImmediate);
  expect(signal.aborted).toBe(true);
  expect(ref.find()?.status).toBe('exiting');
  open();
  expect(await quit).toBe('answered');
  expect(await ref.ended()).toBe('shutdown');
  expect(log).toEqual(['init', 'done', 'shutdown']);
});

test('a request to end that comes from within another start does not interrupt the handler', async () => {
  const log: unknown[] = [];
  class Ender extends Server {
    override init(other: ServerRef<Server>): void {
      other.exit('shutdown');
    }
  }
  class Starter extends Server {
    async go(): Promise<void> {
      const ender = this.start(Ender, { args: [this.self] });
      log.push('still at work');
      await ender;
      log.push('done');
    }
    override terminate(): void {
      log.push('terminate');
    }
  }
  const ref = await start(Starter);
  await ref.call('go');
  await ref.ended();
  expect(log).toEqual(['still at work', 'done', 'terminate']);
});

test('what init does, the new process does: it may call who starts it', async () => {
  let pong: Promise<string> | undefined;
  class Child extends Server {
    override init(parent: ServerRef<Parent>): void {
      pong = parent.call('ping');
    }
  }
  class Parent extends Server {
    ping(): string {
      return 'pong';
    }
    begin(): Promise<unknown> {
      const me: ServerRef<Parent> = this.self;
      return this.start(Child, { args: [me] });
    }
  }
  const parent = await start(Parent);
  await parent.call('begin');
  expect(await pong).toBe('pong');
});

test('terminate may take its time, and a second request changes nothing; kill does not wait for it', async () => {
  let finish: () => void = () => undefined;
  const atEnd = () => new Promise<void>((resolve) => (finish = resolve));
  const { log, ref: starting } = life(atEnd);
  const ref = await starting;
  ref.exit('shutdown');
  ref.exit(new Error('too late'));
  expect(ref.find()?.status).toBe('exiting');
  const waiting = ref.call('ping');
  finish();
  await expect(waiting).rejects.toMatchObject({ reason: 'shutdown' });
  expect(log).toEqual(['init', 'shutdown']);

  const other = await life(atEnd).ref;
  other.exit('shutdown');
  other.exit('kill');
  expect(other.alive).toBe(false);
  expect(await other.ended()).toBe('killed');
});

test.each(['sync', 'async'])('a terminate that throws (%s) is the reason of the end', async (how) => {
  const broken = new Error('disk full');
  const { ref: starting } = life(() => {
    if (how === 'async') return Promise.reject(broken);
    throw broken;
  });
  const ref = await starting;
  const ended = ref.ended();
  ref.exit('shutdown');
  expect(await ended).toBe(broken);
  expect(reports.at(-1)).toMatchObject({ kind: 'crash', reason: broken });
});

test('kill runs no terminate, and what a killed handler goes on to do is nobody’s any more', async () => {
  const { log, ref: starting } = life();
  const ref = await starting;
  let shut: (error: Error) => void = () => undefined;
  const until = new Promise((_, reject) => {
    shut = reject;
  });
  const call = ref.call('quitSlowly', until);
  await new Promise(setImmediate);
  ref.exit('kill');
  await expect(call).rejects.toMatchObject({ reason: 'killed' });
  shut(new Error('after death'));
  await new Promise(setImmediate);
  expect(log).toEqual(['init']);
  expect(reports.filter(({ kind }) => kind === 'crash')).toEqual([]);
});

test('a process that exits itself with normal ends; another ignores it', async () => {
  class Selfish extends Server {
    leave(): void {
      this.self.exit('normal');
    }
  }
  const ref = await start(Selfish);
  ref.exit('normal');
  expect(ref.alive).toBe(true);
  ref.cast('leave');
  expect(await ref.ended()).toBe('normal');
});

test('a crash is reported with the message that was handled', async () => {
  const { log, ref: starting } = life();
  const ref = await starting;
  ref.cast('fail');
  const reason = await ref.ended();
  expect(reason).toMatchObject({ message: 'boom' });
  expect(log).toEqual(['init', reason]);
  expect(reports.at(-1)).toMatchObject({ kind: 'crash', reason, message: { kind: 'cast', name: 'fail' } });
});

test('continueWith: before the next message, in order, one at a time', async () => {
  const { log, ref: starting } = life();
  const ref = await starting;
  ref.cast('follow');
  ref.send('message');
  await ref.call('ping');
  expect(log).toEqual(['init', 'first', 'second', 'third', 'message']);
});

test('timeout(): after silence only, again and again, and not once it is over', async () => {
  vi.useFakeTimers();
  const { log, ref: starting } = life();
  const ref = await starting;
  await ref.call('patience', 100);
  await vi.advanceTimersByTimeAsync(60);
  await ref.call('ping');
  await vi.advanceTimersByTimeAsync(60);
  expect(log).toEqual(['init']);
  await vi.advanceTimersByTimeAsync(60);
  expect(log).toEqual(['init', 'timeout']);
  await vi.advanceTimersByTimeAsync(110);
  expect(log).toEqual(['init', 'timeout', 'timeout']);
  await ref.call('patience', 0);
  await vi.advanceTimersByTimeAsync(1000);
  expect(log).toHaveLength(3);
  await ref.call('patience', 100);
  ref.exit('kill');
  expect(vi.getTimerCount()).toBe(0);
});

test('timeout() does not come while a handler is at work: its silence begins when it is done', async () => {
  vi.useFakeTimers();
  const { log, ref: starting } = life();
  const ref = await starting;
  await ref.call('patience', 100);
  const held = ref.call('wait', new Promise((resolve) => setTimeout(resolve, 350)));
  await vi.advanceTimersByTimeAsync(350);
  await held;
  await vi.advanceTimersByTimeAsync(90);
  expect(log).toEqual(['init']);
  await vi.advanceTimersByTimeAsync(100);
  expect(log).toEqual(['init', 'timeout']);
});

test('sendAfter: comes as info, unless it is cancelled or the process has gone', async () => {
  vi.useFakeTimers();
  const { log, ref: starting } = life();
  const ref = await starting;
  await ref.call('remind', 50, 'tea');
  const cancelled = await ref.call('remind', 50, 'coffee');
  cancelled[Symbol.dispose]();
  await vi.advanceTimersByTimeAsync(60);
  expect(log).toEqual(['init', 'tea']);
  await ref.call('remind', 50, 'too late');
  ref.exit('kill');
  expect(vi.getTimerCount()).toBe(0);
  const process = ref.find();
  process?.sendAfter(1, 'to the dead');
  expect(vi.getTimerCount()).toBe(0);
  expect(() => process?.sendAfter(2 ** 31, 'in 25 days')).toThrow(RangeError);
});
