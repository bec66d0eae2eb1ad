import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** A clean clone knows no durations, and a long file that begins last leaves one processor idle. */
const LONG = [
  ...['src/update/crash', 'src/device/tree', 'src/otp/examples'],
  ...[
    'real/build-faults',
    'real/system-archive',
    'heart/test/pid1',
    'real/package',
    'real/cache',
    'real/mutants',
  ],
  ...[
    'emulator/powercut',
    'emulator/data',
    'emulator/boot',
    'emulator/trials',
    'emulator/life',
    'emulator/boards',
  ],
];

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const rank = ({ moduleId }: TestSpecification): number => {
      const at = LONG.findIndex((name) => moduleId.includes(`/${name}`));
      return at < 0 ? LONG.length : at;
    };
    return (await super.sort(files)).sort((a, b) => rank(a) - rank(b));
  }
}

// Three layers, cheapest first and one after the other: unit tests beside the code, tests against real programs, and
// tests that boot real images in QEMU. An emulated machine waits as much as it works: two at a time fill two cores.
// (The group of order 0 would run last, whatever its number says.)
export default defineConfig({
  test: {
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        test: {
          name: 'unit',
          include: ['src/**/*.test.ts', 'targets/**/*.test.ts'],
          testTimeout: 30_000,
          maxWorkers: '100%',
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          name: 'real',
          include: ['test/real/**/*.test.ts', 'firmware/heart/test/*.test.ts'],
          testTimeout: 180_000,
          hookTimeout: 300_000,
          maxWorkers: '100%',
          sequence: { groupOrder: 2 },
        },
      },
      {
        test: {
          name: 'emulator',
          include: ['test/emulator/**/*.test.ts'],
          testTimeout: 300_000,
          hookTimeout: 600_000,
          maxWorkers: 2,
          sequence: { groupOrder: 3 },
        },
      },
    ],
  },
});
