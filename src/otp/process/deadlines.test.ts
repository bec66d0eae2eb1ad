import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { type DeadlineList, deadlineList, type Expiring } from './deadlines.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function waiting(name: string, expired: string[]): Expiring {
  const list: DeadlineList | undefined = undefined;
  return { before: undefined, after: undefined, at: 0, list, expire: () => expired.push(name) };
}

test('each expires in its time, but for those that were removed; one timer serves all', () => {
  const expired: string[] = [];
  const list = deadlineList(100);
  const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((name) => waiting(name, expired)) as [
    Expiring,
    Expiring,
    Expiring,
    Expiring,
  ];
  list.add(a);
  vi.advanceTimersByTime(40);
  for (const node of [b, c, d]) list.add(node);
  expect(vi.getTimerCount()).toBe(1);
  list.remove(c);
  list.remove(c);
  vi.advanceTimersByTime(60);
  expect(expired).toEqual(['a']);
  vi.advanceTimersByTime(39);
  expect(expired).toEqual(['a']);
  vi.advanceTimersByTime(1);
  expect(expired).toEqual(['a', 'b', 'd']);
  expect(vi.getTimerCount()).toBe(0);
});

test('a list that is empty goes: any number of lengths leaves nothing behind', () => {
  const list = deadlineList(7.25);
  list.add(waiting('a', []));
  expect(deadlineList(7.25)).toBe(list);
  vi.advanceTimersByTime(20);
  expect(deadlineList(7.25)).not.toBe(list);
});

test('a time longer than a timer can be is not over at once', () => {
  const expired: string[] = [];
  const month = 30 * 24 * 3_600_000;
  deadlineList(month).add(waiting('a', expired));
  vi.advanceTimersByTime(month - 1);
  expect(expired).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(expired).toEqual(['a']);
});

test('whoever waits holds the program up; a list where nobody waits does not', () => {
  vi.useRealTimers();
  const holding = () => process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
  const before = holding();
  const list = deadlineList(54_321);
  for (const node of [waiting('a', []), waiting('b', [])]) {
    list.add(node);
    expect(holding()).toBe(before + 1);
    list.remove(node);
    expect(holding()).toBe(before);
  }
});
