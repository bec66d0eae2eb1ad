import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FormatError } from '../../errors.ts';
import {
  type Fdt,
  type FdtNode,
  findCompatible,
  getStrings,
  getU32s,
  nodeAt,
  readFdt,
  setStatus,
  setStrings,
  setU32s,
  walk,
  writeFdt,
} from './index.ts';

const compile = (source: string, ...args: string[]) =>
  new Uint8Array(execFileSync('dtc', ['-q', '-I', 'dts', '-O', 'dtb', ...args], { input: source }));
const decompile = (blob: Uint8Array) =>
  execFileSync('dtc', ['-q', '-I', 'dtb', '-O', 'dts'], { input: blob, encoding: 'utf8' });

const BOARD = compile(`/dts-v1/;
/memreserve/ 0x1000 0x2000;
/memreserve/ 0x123456789abc 0x10;
/ {
  model = "Test board";
  compatible = "acme,board", "acme,soc";
  #address-cells = <1>;
  soc {
    ranges;
    intc: interrupt-controller@7e00b200 { compatible = "acme,intc"; reg = <0x7e00b200 0x200>; };
    uart0: serial@7e201000 { compatible = "arm,pl011", "arm,primecell"; interrupt-parent = <&intc>; odd = [01 02 03]; };
    serial@7e215040 { compatible = "acme,uart"; status = "okay"; };
  };
};
`);

/** Changes what the tree of the blob holds, and gives dtc's view of the result. */
function edit(change: (root: FdtNode) => void): string {
  const fdt = readFdt(BOARD);
  change(fdt.root);
  return decompile(writeFdt(fdt));
}

describe('readFdt', () => {
  test('gives nodes, properties and reserved memory', () => {
    const { root, reservations } = readFdt(BOARD);
    expect(reservations).toEqual([
      { address: 0x1000n, size: 0x2000n },
      { address: 0x123456789abcn, size: 0x10n },
    ]);
    expect([...walk(root)].map(({ path }) => path)).toEqual([
      '/',
      '/soc',
      '/soc/interrupt-controller@7e00b200',
      '/soc/serial@7e201000',
      '/soc/serial@7e215040',
    ]);
    expect(nodeAt(root, '/soc')?.properties.get('ranges')).toEqual(new Uint8Array());
    expect(nodeAt(root, '/soc/serial@7e201000')?.properties.get('odd')).toEqual(new Uint8Array([1, 2, 3]));
  });

  test('does not hand out the blob itself', () => {
    const blob = Buffer.from(BOARD);
    const value = nodeAt(readFdt(blob).root, '/soc/serial@7e201000')?.properties.get('odd');
    value?.fill(0xff);
    expect(new Uint8Array(blob)).toEqual(BOARD);
  });

  test.each([
    ['no blob', (b: DataView) => b.setUint32(0, 1), 'not a device tree blob'],
    [
      'a blob that is longer than its bytes',
      (b: DataView) => b.setUint32(4, b.byteLength + 1),
      'the blob says it has',
    ],
    ['a version from the future', (b: DataView) => b.setUint32(24, 18), 'version 17 is not known'],
    ['a version from the past', (b: DataView) => b.setUint32(20, 3), 'version 3 is not known'],
    ['a structure outside', (b: DataView) => b.setUint32(36, 1e6), 'the structure block is damaged'],
    ['strings outside', (b: DataView) => b.setUint32(32, 1e6), 'the strings block is damaged'],
    [
      'reservations outside',
      (b: DataView) => b.setUint32(16, b.byteLength - 4),
      'the memory reservation block',
    ],
  ])('refuses %s', (_what, damage, message) => {
    const bad = BOARD.slice();
    damage(new DataView(bad.buffer));
    expect(() => readFdt(bad)).toThrow(message);
  });

  test('refuses a tree that is deeper than a recursive reader can take', () => {
    const deep = (depth: number) => compile(`/dts-v1/; / { ${'n { '.repeat(depth)}${'}; '.repeat(depth)} };`);
    expect([...walk(readFdt(deep(63)).root)]).toHaveLength(64);
    expect(() => readFdt(deep(64))).toThrow(FormatError);
  });
});

describe('writeFdt', () => {
  test('dtc sees the same tree', () => {
    const again = writeFdt(readFdt(BOARD));
    expect(decompile(again)).toBe(decompile(BOARD));
    expect(readFdt(again)).toEqual(readFdt(BOARD));
    expect(writeFdt(readFdt(again))).toEqual(again);
  });

  test('dtc sees the same overlay, with its labels and fixups', () => {
    const overlay = compile('/dts-v1/; /plugin/; &spi0 { status = "okay"; dev: d@0 { reg = <0>; }; };', '-@');
    expect(decompile(writeFdt(readFdt(overlay)))).toBe(decompile(overlay));
  });

  test('any tree comes back as it was, and dtc can read it', () => {
    const name = fc.stringMatching(/^[a-z][a-z0-9,-]{0,12}$/);
    const { tree } = fc.letrec<{ tree: FdtNode }>((tie) => ({
      tree: fc.record({
        name: fc.tuple(name, fc.nat(99)).map(([prefix, i]) => `${prefix}@${i}`),
        // 'n-': so that no name means something to dtc, which checks what it knows.
        properties: fc
          .dictionary(name, fc.uint8Array({ maxLength: 9 }), { maxKeys: 4 })
          .map((values) => new Map(Object.entries(values).map(([key, value]) => [`n-${key}`, value]))),
        children: fc.oneof(
          { maxDepth: 4 },
          fc.constant<FdtNode[]>([]),
          fc.uniqueArray(tie('tree'), { maxLength: 3, selector: (node) => node.name }),
        ),
      }),
    }));
    const cell = fc.bigInt({ min: 1n, max: 2n ** 64n - 1n });
    const reservations = fc.array(fc.record({ address: cell, size: cell }), { maxLength: 3 });
    const fdt = fc.record({
      root: tree.map((root) => ({ ...root, name: '' })),
      reservations,
      bootCpu: fc.nat(7),
    });
    fc.assert(
      fc.property(fdt, (value: Fdt) => {
        const blob = writeFdt(value);
        expect(readFdt(blob)).toEqual(value);
        const nodes = decompile(blob).match(/\{$/gm) ?? [];
        expect(nodes).toHaveLength([...walk(value.root)].length);
      }),
      { numRuns: 60 },
    );
  });
});

describe('edits, as dtc sees them', () => {
  test('setStatus disables and enables', () => {
    const text = edit((root) => {
      for (const { node } of findCompatible(root, 'arm,primecell')) setStatus(node, 'disabled');
      const other = nodeAt(root, 'soc/serial@7e215040');
      if (other) setStatus(other, 'disabled');
    });
    expect(text.match(/status = "disabled"/g)).toHaveLength(2);
    expect(text).not.toContain('okay');
  });

  test('setStrings and setU32s set one or more values', () => {
    const text = edit((root) => {
      setStrings(root, 'compatible', 'hearth,board', 'acme,soc');
      setU32s(root, 'cells', 1, 0xfffffffe);
      root.properties.delete('model');
    });
    expect(text).toMatch(/compatible = "hearth,board(\\0|", ")acme,soc";/);
    expect(text).toContain('cells = <0x01 0xfffffffe>;');
    expect(text).not.toContain('model');
  });

  test('values can be read back, and are empty where there is none', () => {
    const { root } = readFdt(BOARD);
    expect(getStrings(root, 'compatible')).toEqual(['acme,board', 'acme,soc']);
    expect(getU32s(nodeAt(root, '/soc/interrupt-controller@7e00b200') ?? root, 'reg')).toEqual([
      0x7e00b200, 0x200,
    ]);
    expect([getStrings(root, 'nothing'), getU32s(root, 'nothing')]).toEqual([[], []]);
    expect(nodeAt(root, '/soc/nothing/at-all')).toBeUndefined();
    expect(findCompatible(root, 'arm,pl011').map(({ path }) => path)).toEqual(['/soc/serial@7e201000']);
    expect(findCompatible(root, 'arm')).toEqual([]);
  });
});

test('damage anywhere gives a tree or a FormatError (A6)', () => {
  const places = fc.array(
    fc.tuple(fc.nat(BOARD.length - 1), fc.constantFrom(0, 1, 2, 3, 4, 9, 127, 128, 255)),
    {
      minLength: 1,
      maxLength: 6,
    },
  );
  fc.assert(
    fc.property(places, fc.nat(BOARD.length), (edits, cut) => {
      const bad = BOARD.slice(0, Math.max(cut, BOARD.length >> 1));
      for (const [at, value] of edits) if (at < bad.length) bad[at] = value;
      try {
        const fdt = readFdt(bad);
        expect(readFdt(writeFdt(fdt))).toEqual(fdt);
      } catch (error) {
        if (!(error instanceof FormatError)) throw error;
      }
    }),
    { numRuns: 3000 },
  );
});
