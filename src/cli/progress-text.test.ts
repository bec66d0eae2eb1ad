import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { plainLine, progressLine, Rate } from './progress-text.ts';

const PACKAGE = { step: 'fetching linux-image-6.12.48-amd64_6.12.48-1_amd64.deb' };

describe('a line of progress', () => {
  test('says what, how much, how fast and how long', () => {
    const bytes = { done: 45_400_000, total: 108_000_000 };
    expect(progressLine({ ...PACKAGE, bytes }, 10_500_000, 120)).toBe(
      'fetching linux-image-6.12.48-amd64_6.12.48-1_amd64.deb  42 % of 108 MB, 11 MB/s, 6 s left',
    );
  });

  test('says of a rate only what is known', () => {
    const bytes = { done: 0, total: 108_000_000 };
    expect(progressLine({ step: 'fetching x', bytes }, undefined, 79)).toBe('fetching x  0 % of 108 MB');
    expect(progressLine({ step: 'fetching x', bytes }, 0, 79)).toBe('fetching x  0 % of 108 MB, 0 B/s');
    expect(progressLine({ step: 'fetching x', bytes: { done: 0, total: 0 } }, 1, 79)).toBe('fetching x');
    expect(progressLine({ step: 'preparing', detail: 'unpacking libc6' }, undefined, 79)).toBe(
      'preparing: unpacking libc6',
    );
  });

  test('shortens the name before the figures, and the figures from the end', () => {
    const bytes = { done: 45_400_000, total: 108_000_000 };
    const line = (width: number): string => progressLine({ ...PACKAGE, bytes }, 10_500_000, width);
    expect(line(79)).toBe('fetching linux-image-6.12.48-amd6…_amd64.deb  42 % of 108 MB, 11 MB/s, 6 s left');
    expect(line(50)).toBe('fetching linux-ima…64.deb  42 % of 108 MB, 11 MB/s');
    expect(line(30)).toBe('fetching linux-image-6…d64.deb');
    expect(line(3)).toBe('fe…');
  });

  test('is never wider than it may be', () => {
    const amount = fc.nat({ max: 1e13 });
    const progress = fc.record({
      step: fc.string({ minLength: 20, maxLength: 90 }),
      detail: fc.string({ maxLength: 30 }),
      bytes: fc.record({ done: amount, total: amount }),
    });
    fc.assert(
      fc.property(
        progress,
        fc.option(amount, { nil: undefined }),
        fc.nat({ max: 100 }),
        (one, rate, width) => {
          expect(progressLine(one, rate, width).length).toBeLessThanOrEqual(width);
        },
      ),
    );
  });

  test('where lines stay, is a step and its size', () => {
    expect(plainLine({ step: 'fetching x', bytes: { done: 0, total: 108_000_000 } })).toBe(
      'fetching x (108 MB)',
    );
    expect(plainLine({ step: 'preparing', detail: 'unpacking libc6' })).toBe('preparing');
  });
});

describe('a rate', () => {
  test('needs half a second to be known', () => {
    const rate = new Rate();
    expect(rate.at(0)).toBeUndefined();
    rate.add(0, 0);
    rate.add(400, 4_000_000);
    expect(rate.at(400)).toBeUndefined();
    rate.add(500, 5_000_000);
    expect(rate.at(500)).toBe(10_000_000);
  });

  test('is that of the last ten seconds', () => {
    const rate = new Rate();
    for (let second = 0; second <= 60; second++) rate.add(second * 1000, second * 100);
    // Ten times as fast from now on.
    for (let second = 61; second <= 70; second++) rate.add(second * 1000, 6000 + (second - 60) * 1000);
    expect(rate.at(70_000)).toBe(1000);
  });

  test('falls while nothing comes', () => {
    const rate = new Rate();
    rate.add(0, 0);
    rate.add(1000, 1000);
    expect([rate.at(1000), rate.at(2000), rate.at(10_000)]).toEqual([1000, 500, 100]);
  });
});
