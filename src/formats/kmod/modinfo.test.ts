import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FormatError } from '../../errors.ts';
import { readModuleInfo, softDependencies } from './modinfo.ts';
import { isModulePath, moduleName, modulesByName, parseModulesBuiltin, unpackedPath } from './names.ts';
import { assembleModules } from './sample.ts';

const MODINFO = [
  'license=GPL v2',
  'alias=pci:v00008086d000010D3sv*sd*bc*sc*i*',
  'alias=fs-nothing',
  'depends=i2c-core,mii',
  'softdep=pre: crc32c other-thing post: late',
  'firmware=rtl_nic/rtl8168d-1.fw',
  'vermagic=6.12.1-amd64 SMP preempt mod_unload modversions ',
];
const ko = (compiler?: string) =>
  assembleModules([{ file: 'net-thing', modinfo: MODINFO }], compiler).get('net-thing') ?? new Uint8Array();

describe('readModuleInfo', () => {
  test('gives what the module says of itself', () => {
    expect(readModuleInfo(ko(), 'kernel/net/net-thing.ko')).toEqual({
      name: 'net_thing',
      machine: 'x86_64',
      aliases: ['pci:v00008086d000010D3sv*sd*bc*sc*i*', 'fs-nothing'],
      depends: ['i2c_core', 'mii'],
      softdeps: ['pre: crc32c other-thing post: late'],
      firmware: ['rtl_nic/rtl8168d-1.fw'],
      license: 'GPL v2',
      vermagic: '6.12.1-amd64 SMP preempt mod_unload modversions',
    });
  });

  test('of another machine too', () => {
    expect(readModuleInfo(ko('aarch64-linux-gnu-gcc'), 'net-thing.ko')).toMatchObject({ machine: 'aarch64' });
  });

  test('an empty list of dependencies has none', () => {
    const [bytes] = assembleModules([{ file: 'a', modinfo: ['depends='] }]).values();
    expect(readModuleInfo(bytes ?? new Uint8Array(), 'a.ko')).toMatchObject({
      depends: [],
      license: undefined,
      vermagic: undefined,
    });
  });

  test('a file under another name would never be found', () => {
    expect(() => readModuleInfo(ko(), 'kernel/thing.ko')).toThrow('calls itself net_thing (kernel/thing.ko)');
  });

  test('what is no module is refused, with its path', () => {
    expect(() => readModuleInfo(new Uint8Array(100), 'x.ko')).toThrow(FormatError);
    const [object] = assembleModules([{ file: 'y' }]).values();
    const other = Buffer.from(object ?? []);
    other.write('.nodinfo', other.indexOf('.modinfo'));
    expect(() => readModuleInfo(other, 'y.ko')).toThrow('not a kernel module (y.ko)');
  });

  test('damage anywhere gives a module or a FormatError (A6)', () => {
    const good = ko();
    const edit = fc.tuple(fc.nat(good.length - 1), fc.constantFrom(0, 1, 2, 64, 127, 128, 255));
    fc.assert(
      fc.property(fc.array(edit, { minLength: 1, maxLength: 6 }), fc.nat(good.length), (edits, cut) => {
        const bad = good.slice(0, Math.max(cut, good.length >> 1));
        for (const [at, value] of edits) if (at < bad.length) bad[at] = value;
        try {
          readModuleInfo(bad, 'net-thing.ko');
        } catch (error) {
          if (!(error instanceof FormatError)) throw error;
        }
      }),
      { numRuns: 2000 },
    );
  });
});

test('softDependencies are sorted into before and after', () => {
  const info = readModuleInfo(ko(), 'net-thing.ko');
  expect(softDependencies(info)).toEqual({ pre: ['crc32c', 'other_thing'], post: ['late'] });
  const softdeps = ['post: a pre:  b', 'nonsense', 'pre: c'];
  expect(softDependencies({ ...info, softdeps })).toEqual({ pre: ['b', 'c'], post: ['a'] });
});

describe('names', () => {
  test('are the same with - and _, packed or not', () => {
    expect(['i2c-dev', 'kernel/i2c/i2c-dev.ko', 'i2c_dev.ko.xz', 'i2c-dev.ko.zst'].map(moduleName)).toEqual(
      Array(4).fill('i2c_dev'),
    );
    expect(['a.ko', 'a.ko.gz', 'a.kot', 'a.so', 'modules.dep'].map(isModulePath)).toEqual([
      true,
      true,
      false,
      false,
      false,
    ]);
    expect(['x/a.ko.xz', 'x/a.ko', 'x.xz'].map(unpackedPath)).toEqual(['x/a.ko', 'x/a.ko', 'x.xz']);
  });

  test('modulesByName finds files, and two of one name', () => {
    expect(modulesByName(['modules.dep', 'kernel/a-b.ko.xz'])).toEqual(
      new Map([['a_b', 'kernel/a-b.ko.xz']]),
    );
    expect(() => modulesByName(['x/a-b.ko', 'y/a_b.ko'])).toThrow(
      'two files are the module a_b (x/a-b.ko and y/a_b.ko)',
    );
  });

  test('parseModulesBuiltin reads the kernel’s list', () => {
    expect(parseModulesBuiltin('kernel/fs/efi-vars.ko\nkernel/lib/crc32.ko\n\n')).toEqual(
      new Set(['efi_vars', 'crc32']),
    );
  });
});
