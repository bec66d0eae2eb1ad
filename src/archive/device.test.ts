import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checkFits, type Device } from './fits.ts';
import type { Manifest } from './manifest.ts';
import { build, collect, newSigner, sampleInput } from './test-firmware.ts';
import { swapVariants } from './variants.ts';
import { compareVersions, isVersion } from './version.ts';

const signer = newSigner();
const firmware = await build(sampleInput(signer), signer);
const { manifest, payloads } = await collect([firmware], { trust: 'self' });
if (!manifest) throw new Error('no manifest');
const sample: Manifest = manifest;

describe('A5, A3: what fits a device', () => {
  const device: Device = {
    product: 'hello',
    target: 'rpi3',
    arch: 'aarch64',
    versionFloor: '1.2.3',
    slots: { root: 1100, boot: 700 },
  };

  test('the right one does', () => {
    checkFits(sample, device);
    checkFits(sample, {});
  });

  test.each<[string, Device]>([
    ['fw-wrong-product', { product: 'other' }],
    ['fw-wrong-target', { target: 'rpi4' }],
    ['fw-wrong-arch', { arch: 'x86_64' }],
    ['fw-downgrade', { versionFloor: '1.2.4' }],
    ['fw-too-large', { slots: { root: 1099, boot: 700 } }],
    ['fw-payload-missing', { slots: { root: 1100, boot: 700, loader: 1 } }],
    ['fw-payload-unknown', { slots: { root: 1100 } }],
  ])('%s: %j', async (code, change) => {
    expect(() => checkFits(sample, { ...device, ...change })).toThrow(expect.objectContaining({ code }));
    const reading = collect([firmware], { trust: 'self', device: { ...device, ...change } });
    await expect(reading).rejects.toMatchObject({ code });
  });
});

describe('variants', () => {
  const boot = sample.payloads[0];
  const bytes = payloads.boot ?? Buffer.alloc(0);
  if (!boot) throw new Error('no boot payload');

  test('turn slot a into slot b and back', () => {
    expect(bytes.toString('latin1', 0, 18)).toBe('boot hearth.slot=a');
    const b = swapVariants(bytes, 0, boot, 'a', 'b');
    expect(Buffer.from(b).toString('latin1', 0, 18)).toBe('boot hearth.slot=b');
    expect(bytes.toString('latin1', 0, 18)).toBe('boot hearth.slot=a');
    expect(Buffer.from(swapVariants(b, 0, boot, 'b', 'a'))).toEqual(bytes);
  });

  test('leave other parts as they are, without a copy', () => {
    const rest = bytes.subarray(18);
    expect(swapVariants(rest, 18, boot, 'a', 'b')).toBe(rest);
  });

  test('bytes that are neither are refused', () => {
    expect(() => swapVariants(bytes, 0, boot, 'b', 'a')).toThrow(
      expect.objectContaining({ code: 'fw-variant-mismatch' }),
    );
  });

  test('may lie across the cut between two parts', () => {
    const wide = { ...boot, size: 10, variants: [{ offset: 2, a: 'YWFhYQ==', b: 'YmJiYg==' }] };
    const whole = Buffer.from('..aaaa....');
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 10 }), (cut) => {
        const parts = [
          swapVariants(whole.subarray(0, cut), 0, wide, 'a', 'b'),
          swapVariants(whole.subarray(cut), cut, wide, 'a', 'b'),
        ];
        expect(Buffer.concat(parts).toString()).toBe('..bbbb....');
      }),
    );
  });
});

describe('versions', () => {
  test('order as semver.org says', () => {
    const ordered = [
      '0.0.1',
      '1.0.0-alpha',
      '1.0.0-alpha.1',
      '1.0.0-alpha.beta',
      '1.0.0-beta',
      '1.0.0-beta.2',
      '1.0.0-beta.11',
      '1.0.0-rc.1',
      '1.0.0',
      '1.0.10',
      '1.2.0',
      '10.0.0',
    ];
    for (const [i, a] of ordered.entries()) {
      for (const [j, b] of ordered.entries()) {
        expect(Math.sign(compareVersions(a, b)), `${a} ${b}`).toBe(Math.sign(i - j));
      }
    }
    expect(compareVersions('1.0.0+a', '1.0.0+b')).toBe(0);
  });

  test.each([
    '1',
    '1.2',
    '01.2.3',
    '1.2.3-',
    '1.2.3-01',
    'v1.2.3',
    '1.2.3 ',
    `1.2.3-${'a'.repeat(200)}`,
    '1.2.3+',
  ])('%j is none', (text) => {
    expect(isVersion(text)).toBe(false);
  });

  test.each(['1.2.3', '0.0.0', '1.2.3-0a.b-c.4+build.01'])('%j is one', (text) => {
    expect(isVersion(text)).toBe(true);
  });
});
