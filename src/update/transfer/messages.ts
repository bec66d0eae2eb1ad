import * as z from 'zod';
import { FwError } from '../../errors.ts';

/** A run of chunks: the first, and how many. */
const range = z.tuple([z.int().min(0), z.int().min(1)]);

/** The firmware that runs: whoever has it too can send differences. */
const running = z.object({
  uuid: z.string(),
  version: z.string(),
  /** SHA-256 of its head, in hexadecimal, where the device has that. */
  head: z.string().optional(),
});
const wanted = z.object({
  /** What is missing, by payload. */
  missing: z.record(z.string(), z.array(range)),
});
const progress = z.object({ done: z.number(), total: z.number() });
const refusal = z.object({
  code: z.string(),
  message: z.string(),
  where: z.string().optional(),
  expected: z.string().optional(),
  remedy: z.string().optional(),
});

export type Running = z.infer<typeof running>;
export type Wanted = z.infer<typeof wanted>;
/** Of the read-back: chunks. */
export type Progress = z.infer<typeof progress>;
export type Refusal = z.infer<typeof refusal>;

export const parseRunning = (payload: Uint8Array): Running => parsed(running, payload);
export const parseWanted = (payload: Uint8Array): Wanted => parsed(wanted, payload);
export const parseProgress = (payload: Uint8Array): Progress => parsed(progress, payload);

/** The device's complaint, as an error of ours. */
export function parseRefusal(payload: Uint8Array): FwError {
  const error = parsed(refusal, payload);
  const { code, message, where, expected, remedy } = error;
  return new FwError(code, message, {
    ...(where === undefined ? {} : { where }),
    ...(expected === undefined ? {} : { expected }),
    ...(remedy === undefined ? {} : { remedy }),
  });
}

/** What is told of an error: our own bugs too, but not their stack. */
export function refusalOf(error: unknown): Refusal {
  if (!(error instanceof FwError)) return { code: 'internal', message: String(error) };
  const { code, message, where, expected, remedy } = error;
  return { code, message, where, expected, remedy };
}

/** Runs of neighbours. @param indexes ascending */
export function rangesOf(indexes: readonly number[]): [number, number][] {
  const ranges: [number, number][] = [];
  for (const index of indexes) {
    const last = ranges.at(-1);
    if (last && last[0] + last[1] === index) last[1]++;
    else ranges.push([index, 1]);
  }
  return ranges;
}

function parsed<T>(schema: z.ZodType<T>, payload: Uint8Array): T {
  try {
    return schema.parse(JSON.parse(Buffer.from(payload).toString('utf8')));
  } catch (cause) {
    throw new FwError('transfer-garbled', 'the other side said something that makes no sense', { cause });
  }
}
