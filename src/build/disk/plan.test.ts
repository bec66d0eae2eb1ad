import { describe, expect, test } from 'vitest';
import { FwError } from '../../errors.ts';
import type { Extent } from '../../formats/bytes.ts';
import { FIRST_PARTITION, MiB } from '../../update/layout.ts';
import { loadTarget, targetNames } from '../targets.ts';
import { type DiskPlan, planDisk } from './plan.ts';

const extents = (plan: DiskPlan): Extent[] => [plan.control, ...plan.boot, ...plan.root, plan.data];

describe.each(targetNames())('the plan of a disk for %s', (name) => {
  const plan = async (diskSize?: number, dataSize = 64 * MiB): Promise<DiskPlan> => {
    const { target } = await loadTarget(name);
    return planDisk({ target, dataSize, ...(diskSize === undefined ? {} : { diskSize }) });
  };

  test('has everything in order behind the state area, on whole MiB, nothing over another', async () => {
    const made = await plan();
    let end = FIRST_PARTITION;
    for (const { offset, length } of extents(made)) {
      expect(offset).toBeGreaterThanOrEqual(end);
      expect(offset % MiB).toBe(0);
      expect(length % MiB).toBe(0);
      end = offset + length;
    }
    // The backup GPT needs 33 sectors behind the last partition.
    expect(made.size - end).toBeGreaterThanOrEqual(MiB);
  });

  test('keeps the slots where they are, whatever the size: updates must fit every device', async () => {
    const [least, large] = [await plan(), await plan(8 * 1024 * MiB + 12_345)];
    expect(large.size).toBe(8 * 1024 * MiB + 12_345);
    expect([large.control, large.boot, large.root]).toEqual([least.control, least.boot, least.root]);
    expect(large.data.offset).toBe(least.data.offset);
    expect(large.data.length % MiB).toBe(0);
    expect(large.size - large.data.offset - large.data.length).toBeGreaterThanOrEqual(MiB);
  });

  test('of a size that is just right is the least one', async () => {
    const least = await plan();
    expect(await plan(least.size)).toEqual(least);
  });

  test('B4: of a disk that is too small says by how much', async () => {
    const { size } = await plan();
    const failure = plan(size - 1000);
    await expect(failure).rejects.toBeInstanceOf(FwError);
    await expect(failure).rejects.toMatchObject({
      code: 'disk-too-small',
      message: `a disk of ${size - 1000} bytes is 1000 bytes too small for ${name}`,
      expected: `at least ${size} bytes (${Math.ceil(size / MiB)} MiB)`,
    });
  });

  test('rounds the data partition up, never down', async () => {
    expect((await plan(undefined, 8 * MiB + 1)).data.length).toBe(9 * MiB);
  });
});
