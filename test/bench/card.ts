import { type FileHandle, open } from 'node:fs/promises';
import { setTimeout } from 'node:timers/promises';

/** Bytes a second, of a card that Raspberry Pis are given (speed class A1). */
const READ = 80e6;
const WRITE = 20e6;

/** What is read and written of files meanwhile takes as long as on a card, which does one thing at a time. */
export async function asOnCard<T>(work: () => Promise<T>): Promise<T> {
  await using any = await open(import.meta.filename);
  const handles = Object.getPrototypeOf(any) as FileHandle;
  const { read, write } = handles;
  let free = 0;
  const slow =
    (operation: (...what: never[]) => Promise<unknown>, rate: number) =>
    async (handle: FileHandle, what: readonly unknown[]) => {
      const [, , length] = what;
      free = Math.max(free, performance.now()) + (Number(length) / rate) * 1000;
      const [result] = await Promise.all([
        Reflect.apply(operation, handle, what),
        setTimeout(Math.max(0, free - performance.now())),
      ]);
      return result;
    };
  const [reads, writes] = [slow(read, READ), slow(write, WRITE)];
  handles.read = function (this: FileHandle, ...what: unknown[]) {
    return reads(this, what);
  } as typeof read;
  handles.write = function (this: FileHandle, ...what: unknown[]) {
    return writes(this, what);
  } as typeof write;
  try {
    return await work();
  } finally {
    Object.assign(handles, { read, write });
  }
}
