import { describe, expect, test } from 'vitest';
import { envOf, recordOf, type UpdateRecord } from './record.ts';

describe('the slots that heart may fall back to', () => {
  function fallbacks(floor: string | undefined, a: [version: string, validated: boolean]): string[] {
    const [version, validated] = a;
    const other = { uuid: 'u', product: 'p', target: 't', installed: undefined };
    const record: UpdateRecord = {
      active: 'b',
      slots: { a: { ...other, version, validated }, b: undefined },
      update: undefined,
      last: undefined,
      floor,
    };
    const env = envOf(record);
    expect(recordOf(env)).toEqual(record);
    return [...env.keys()].filter((key) => key.endsWith('.fallback'));
  }

  test.each([
    [undefined, '1.0.0'],
    ['1.0.0', '1.0.0'],
    ['1.9.0', '1.10.0'],
  ])('with the floor %s: %s, once validated', (floor, version) => {
    expect(fallbacks(floor, [version, true])).toEqual(['a.fallback']);
    expect(fallbacks(floor, [version, false])).toEqual([]);
  });

  test.each([
    ['1.0.0', '1.0.0-rc.1'],
    ['1.10.0', '1.9.0'],
    ['1.0.0', 'what?'],
    ['what?', '1.0.0'],
  ])('with the floor %s: not %s', (floor, version) => {
    expect(fallbacks(floor, [version, true])).toEqual([]);
  });
});
