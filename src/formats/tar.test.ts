import { describe, expect, test } from 'vitest';
import { parseTarHeader, TAR_BLOCK, TAR_MAX_SIZE, tarHeader, tarPadding } from './tar.ts';

describe('tar headers', () => {
  test('say name and size, and read back', () => {
    const header = tarHeader('payload/root', 12345);
    expect(header).toHaveLength(TAR_BLOCK);
    expect(parseTarHeader(header)).toEqual({ name: 'payload/root', size: 12345, type: '0', linkName: '' });
  });

  test('carry sizes up to 8 GiB less one', () => {
    expect(parseTarHeader(tarHeader('x', TAR_MAX_SIZE))?.size).toBe(8 * 1024 ** 3 - 1);
    expect(() => tarHeader('x', TAR_MAX_SIZE + 1)).toThrow(expect.objectContaining({ code: 'bad-tar' }));
    expect(() => tarHeader('x', 1.5)).toThrow(expect.objectContaining({ code: 'bad-tar' }));
  });

  test.each(['', 'x'.repeat(101), 'ü', 'a b', 'a\0b'])('refuse the name %j', (name) => {
    expect(() => tarHeader(name, 0)).toThrow(expect.objectContaining({ code: 'bad-tar' }));
  });

  test('any changed byte breaks the checksum', () => {
    const header = tarHeader('manifest.json', 77);
    for (let at = 0; at < TAR_BLOCK; at++) {
      const altered = Buffer.from(header);
      altered[at] = (altered[at] ?? 0) ^ 1;
      expect(parseTarHeader(altered), `byte ${at}`).toBeUndefined();
    }
  });

  test('members fill whole blocks', () => {
    expect([0, 1, 511, 512, 513].map(tarPadding)).toEqual([0, 511, 1, 0, 511]);
  });
});
