import fc from 'fast-check';
import { expect, test } from 'vitest';
import { QUANTILE_ERROR, Quantiles } from './quantiles.ts';

const PARTS = [0, 0.5, 0.9, 0.99, 1];
const measured = fc.oneof(
  fc.double({ min: 1e-6, max: 1e12, noNaN: true }),
  fc.double({ min: -1e6, max: -1e-6, noNaN: true }),
  fc.integer({ min: -5, max: 100 }),
);

test('quantiles are within the error that is promised, for any values', () => {
  fc.assert(
    fc.property(fc.array(measured, { minLength: 1, maxLength: 300 }), (values) => {
      const quantiles = new Quantiles();
      for (const value of values) quantiles.add(value);
      const sorted = values.toSorted((a, b) => a - b);
      const exact = PARTS.map((part) => sorted[Math.floor(part * (values.length - 1))] ?? Number.NaN);
      for (const [at, value] of quantiles.at(...PARTS).entries()) {
        const wanted = exact[at] ?? Number.NaN;
        expect(Math.abs((value ?? Number.NaN) - wanted)).toBeLessThanOrEqual(
          Math.abs(wanted) * QUANTILE_ERROR + 1e-12,
        );
      }
    }),
  );
});

test('a million values of all sizes take no more buckets than there are', () => {
  const quantiles = new Quantiles();
  for (let i = 0; i < 1_000_000; i++) quantiles.add((i % 2 === 0 ? 1 : -1) * 10 ** ((i % 6000) / 100 - 30));
  expect(quantiles.count).toBe(1_000_000);
  expect(quantiles.buckets).toBeLessThan(2 * 2_765);
});

test('of nothing there is no quantile', () => {
  expect(new Quantiles().at(0.5, 0.9)).toEqual([undefined, undefined]);
});
