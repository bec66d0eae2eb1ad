import { FwError } from '../../errors.ts';

/**
 * What a Raspberry Pi shows when it does not boot: flashes of its green LED (Raspberry Pi documentation, "LED warning
 * flash codes"), the rainbow screen that stays when the kernel does not start, or nothing at all.
 */
export const SYMPTOMS = {
  nothing: 'the green LED stays dark',
  cannotBoot: 'the green LED flashes 3 times',
  noStartElf: 'the green LED flashes 4 times',
  noKernel: 'the green LED flashes 7 times',
  notFat: 'the green LED flashes twice long, once short',
  rainbow: 'the rainbow screen stays',
} as const;

export type Symptom = keyof typeof SYMPTOMS;

export interface Failing {
  /** Number as in the MBR; undefined when it is about the whole card. */
  partition?: number;
  file?: string;
  expected: string;
  remedy?: string;
  cause?: unknown;
}

/** The board would not boot from this card; says where, what a real one would show, and why. */
export function doesNotBoot(symptom: Symptom, message: string, details: Failing): FwError {
  const { partition, file, expected, remedy, cause } = details;
  const place = partition === undefined ? 'the partition table' : `partition ${partition}`;
  return new FwError(
    'pi-does-not-boot',
    `the Raspberry Pi would not boot (${SYMPTOMS[symptom]}): ${message}`,
    {
      where: file ? `${place}: ${file}` : place,
      expected,
      remedy: remedy ?? "Build the image again with 'fw image'.",
      ...(cause === undefined ? {} : { cause }),
    },
  );
}
