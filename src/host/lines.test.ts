import { PassThrough } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { FwError } from '../errors.ts';
import { Lines } from './lines.ts';

function port(): { lines: Lines; send: (text: string) => void } {
  const lines = new Lines('console');
  const stream = new PassThrough();
  lines.attach(stream);
  return { lines, send: (text) => void stream.write(text) };
}

const GONE = new FwError('machine-gone', 'it is off');

describe('waiting for a line', () => {
  test('finds what came before, one match after the other', async () => {
    const { lines, send } = port();
    send('boot 1\nboot 2\n');
    expect((await lines.waitFor(/boot (\d)/))[1]).toBe('1');
    expect((await lines.waitFor(/boot (\d)/))[1]).toBe('2');
    const third = lines.waitFor(/boot (\d)/);
    send('boot 3\n');
    expect((await third)[1]).toBe('3');
  });

  test('never matches half a line', async () => {
    const { lines, send } = port();
    const ready = lines.waitFor(/ms=(\d+)/);
    send('ready ms=12');
    send('34\n');
    expect((await ready)[1]).toBe('1234');
  });

  test('matches a prompt when asked for, and goes on behind it', async () => {
    const { lines, send } = port();
    send('login: ');
    await lines.waitFor(/login: $/, { partial: true });
    send('root\n');
    expect((await lines.waitFor(/.*/))[0]).toBe('root');
  });

  test('takes a string as it is', async () => {
    const { lines, send } = port();
    send('x ready x\n[hearth] ready (1.0)\n');
    expect((await lines.waitFor('[hearth] ready (1.0)')).input).toBe('[hearth] ready (1.0)');
  });

  test('can start anew, or with what comes now', async () => {
    const { lines, send } = port();
    send('a1\na2\n');
    await lines.waitFor('a2');
    expect((await lines.waitFor(/a\d/, { from: 'start' }))[0]).toBe('a1');
    const now = lines.waitFor(/a\d/, { from: 'now' });
    send('a3\n');
    expect((await now)[0]).toBe('a3');
    lines.skip();
    await expect(lines.waitFor('a3', { timeoutMs: 20 })).rejects.toMatchObject({ code: 'console-timeout' });
  });

  test('leaves the match to others when told to', async () => {
    const { lines, send } = port();
    send('off\n');
    await lines.waitFor('off', { take: false });
    await lines.waitFor('off');
  });

  test('a regular expression with g finds every line', async () => {
    const { lines, send } = port();
    const pattern = /abc/g;
    send('abc\nabc\n');
    await lines.waitFor(pattern);
    await lines.waitFor(pattern);
  });

  test('shows the last lines when nothing comes', async () => {
    const { lines, send } = port();
    send('kernel panic\n');
    const waiting = lines.waitFor('ready', { timeoutMs: 30 });
    await expect(waiting).rejects.toMatchObject({ code: 'console-timeout', where: 'console' });
    await expect(waiting).rejects.toThrow('kernel panic');
  });

  test('fails at once when the machine is gone, but still finds what it said', async () => {
    const { lines, send } = port();
    send('last words\nunfinished');
    const waiting = lines.waitFor('never');
    lines.end(GONE);
    await expect(waiting).rejects.toBe(GONE);
    await lines.waitFor('last words');
    await lines.waitFor('unfinished');
    await expect(lines.waitFor('never')).rejects.toBe(GONE);
  });
});

describe('a transcript', () => {
  test('goes on when another stream is attached', async () => {
    const { lines, send } = port();
    send('first\n');
    const second = new PassThrough();
    lines.attach(second);
    second.write('second\n');
    expect(lines.transcript).toBe('first\nsecond\n');
    expect(lines.tail(1)).toBe('second');
  });

  test('drops the oldest lines of a flood and stays small', async () => {
    const { lines, send } = port();
    const line = 'x'.repeat(1023);
    for (let n = 0; n < 20_000; n++) send(`${n} ${line}\n`);
    expect(lines.transcript.length).toBeLessThan(9 * 1024 * 1024);
    await lines.waitFor(/^19999 /);
    await expect(lines.waitFor(/^0 /, { from: 'start', timeoutMs: 20 })).rejects.toThrow();
  });

  test('cuts a line without end', () => {
    const { lines, send } = port();
    for (let n = 0; n < 3000; n++) send('y'.repeat(10_000));
    expect(lines.transcript.length).toBeLessThan(9 * 1024 * 1024);
  });

  test('gives every line to whoever iterates, and ends with the machine', async () => {
    const { lines, send } = port();
    send('one\ntwo\n');
    const seen: string[] = [];
    const reading = (async () => {
      for await (const line of lines) seen.push(line);
    })();
    send('three\nfour');
    lines.end(GONE);
    await reading;
    expect(seen).toEqual(['one', 'two', 'three', 'four']);
  });

  test('shows notes of ours to who reads along, and never takes them for the guest', async () => {
    const { lines, send } = port();
    const shown: string[] = [];
    lines.onData((bytes) => shown.push(Buffer.from(bytes).toString()));
    send('unfinished');
    lines.note('starts kernel8.img');
    send('real kernel8.img\n');
    expect(lines.transcript).toBe('unfinished\n[rig] starts kernel8.img\nreal kernel8.img\n');
    expect(shown).toContain('[rig] starts kernel8.img\r\n');
    expect((await lines.waitFor('kernel8.img')).input).toBe('real kernel8.img');
  });

  test('hands raw bytes to who listens, until told otherwise', () => {
    const { lines, send } = port();
    const pieces: string[] = [];
    const stop = lines.onData((bytes) => pieces.push(Buffer.from(bytes).toString()));
    send('\x1b[1mraw');
    stop();
    send('more');
    expect(pieces).toEqual(['\x1b[1mraw']);
  });
});
