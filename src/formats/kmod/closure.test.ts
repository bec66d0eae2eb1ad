import fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import { FwError } from '../../errors.ts';
import { moduleClosure } from './closure.ts';
import { moduleIndexes } from './indexes.ts';
import type { ModuleInfo } from './modinfo.ts';
import { hardOrder, loadOrder } from './order.ts';
import { assembleModules } from './sample.ts';

let files: Map<string, Uint8Array>;
beforeAll(() => {
  files = assembleModules([
    {
      file: 'ext4',
      modinfo: ['alias=fs-ext4', 'depends=jbd2,mbcache,crc32', 'softdep=pre: crc32c-generic crypto-crc32c'],
    },
    { file: 'jbd2', modinfo: ['depends='] },
    { file: 'mbcache' },
    { file: 'crc32c-generic', modinfo: ['alias=crypto-crc32c', 'alias=crc32c'] },
    { file: 'usb-storage', modinfo: ['depends=usbcore,gone'] },
    { file: 'usbcore', modinfo: ['softdep=post: mbcache'] },
  ]);
});

const source = () => {
  const read: string[] = [];
  return {
    paths: new Map([...files.keys()].map((file) => [file.replaceAll('-', '_'), `kernel/${file}.ko.xz`])),
    builtin: new Set(['crc32', 'efivars']),
    read: async (path: string) => {
      read.push(path);
      return files.get(path.slice('kernel/'.length, -'.ko.xz'.length)) ?? new Uint8Array();
    },
    seen: read,
  };
};

describe('moduleClosure', () => {
  test('takes what is wanted and what that needs, and reads nothing else', async () => {
    const from = source();
    const modules = await moduleClosure(['ext4'], from);
    expect([...modules.keys()].sort()).toEqual(['crc32c_generic', 'ext4', 'jbd2', 'mbcache']);
    expect([...from.seen].sort()).toEqual([...modules.values()].map(({ path }) => `${path}.xz`).sort());
    expect(modules.get('ext4')).toMatchObject({ path: 'kernel/ext4.ko', bytes: files.get('ext4') });
  });

  test('leaves out what is built in, wanted or needed', async () => {
    const modules = await moduleClosure(['efivars', 'ext4'], source());
    expect(modules.get('ext4')?.info.depends).toEqual(['jbd2', 'mbcache']);
    expect(modules.has('efivars')).toBe(false);
  });

  test('takes names with - or _, and soft dependencies that come after', async () => {
    for (const name of ['crc32c-generic', 'crc32c_generic']) {
      expect((await moduleClosure([name], source())).size).toBe(1);
    }
    expect([...(await moduleClosure(['usbcore'], source())).keys()]).toEqual(['usbcore', 'mbcache']);
  });

  test('names what is missing, and who needs it', async () => {
    const attempt = moduleClosure(['usb-storage'], source());
    await expect(attempt).rejects.toThrow('there is no kernel module gone');
    await expect(attempt).rejects.toMatchObject({
      code: 'missing-module',
      where: 'a dependency of usb_storage',
    });
    await expect(moduleClosure(['nope'], source())).rejects.toThrow('there is no kernel module nope');
  });
});

/** A set of modules from "name: dependency… | soft…" lines. */
function set(...lines: string[]): Map<string, { path: string; info: ModuleInfo }> {
  return new Map(
    lines.map((line) => {
      const [name = '', rest = ''] = line.split(':');
      const [hard = '', soft = ''] = rest.split('|');
      const words = (text: string) => text.split(' ').filter(Boolean);
      const softdeps = words(soft).map((word) => `pre: ${word}`);
      const none = { aliases: [], firmware: [], license: undefined, vermagic: undefined };
      const info: ModuleInfo = { name, machine: 'x86_64', depends: words(hard), softdeps, ...none };
      return [name, { path: `kernel/${name}.ko`, info }];
    }),
  );
}

describe('loadOrder', () => {
  test('puts dependencies first, and each once', () => {
    const modules = set('a: b c', 'b: d', 'c: d', 'd:');
    expect(loadOrder('a', modules)).toEqual(['d', 'b', 'c']);
    expect(loadOrder('d', modules)).toEqual([]);
  });

  test('takes soft dependencies that the set has, and does without the others', () => {
    const modules = set('a: b | s gone', 'b:', 's: t', 't:');
    expect(loadOrder('a', modules)).toEqual(['b', 't', 's']);
    expect(hardOrder('a', modules)).toEqual(['b']);
  });

  test('a soft dependency that needs the module itself waits', () => {
    expect(loadOrder('a', set('a: | s', 's: t', 't: a'))).toEqual([]);
    expect(loadOrder('a', set('a: | b', 'b: | a'))).toEqual(['b']);
    expect(loadOrder('a', set('a: b', 'b: | c', 'c: a'))).toEqual(['b']);
  });

  test('a circle of dependencies is named', () => {
    const attempt = () => loadOrder('a', set('a: b', 'b: c', 'c: b'));
    expect(attempt).toThrow(FwError);
    expect(attempt).toThrow('in a circle: b -> c -> b');
  });

  test('a dependency outside the set is named', () => {
    expect(() => loadOrder('a', set('a: b'))).toThrow('there is no kernel module b');
  });

  test('nothing comes before what it needs, whatever the graph and the wishes', () => {
    const edges = fc.array(fc.tuple(fc.nat(11), fc.nat(11)), { maxLength: 40 });
    fc.assert(
      fc.property(edges, edges, (hard, soft) => {
        const lines = Array.from({ length: 12 }, (_, i) => {
          const needs = hard.filter(([from, to]) => from === i && to < i).map(([, to]) => `m${to}`);
          const likes = soft.filter(([from]) => from === i).map(([, to]) => `m${to}`);
          return `m${i}: ${needs.join(' ')} | ${likes.join(' ')}`;
        });
        const modules = set(...lines);
        for (const name of modules.keys()) {
          const order = [...loadOrder(name, modules), name];
          expect(new Set(order).size).toBe(order.length);
          order.forEach((each, i) => {
            const { depends = [] } = modules.get(each)?.info ?? {};
            for (const needed of depends) expect(order.slice(0, i)).toContain(needed);
          });
        }
      }),
    );
  });
});

describe('moduleIndexes', () => {
  test('are written as depmod writes them', () => {
    const modules = set('a: b', 'b: c', 'c: | s');
    const b = modules.get('b');
    if (b) b.info.aliases = ['pci:v1*', 'fs-b'];
    expect([...moduleIndexes(modules)]).toEqual([
      ['modules.dep', 'kernel/a.ko: kernel/b.ko kernel/c.ko\nkernel/b.ko: kernel/c.ko\nkernel/c.ko:\n'],
      ['modules.alias', '# Aliases extracted from modules themselves.\nalias pci:v1* b\nalias fs-b b\n'],
      ['modules.softdep', '# Soft dependencies extracted from modules themselves.\nsoftdep c pre: s\n'],
    ]);
  });

  test('do not depend on the order of the modules', () => {
    const modules = set('a: b', 'b: c', 'c:');
    expect(moduleIndexes(new Map([...modules].reverse()))).toEqual(moduleIndexes(modules));
  });

  test('refuse a set with a hole', () => {
    expect(() => moduleIndexes(set('a: b'))).toThrow('there is no kernel module b');
  });
});
