import { spawnSync } from 'node:child_process';
import { closeSync, fstatSync, ftruncateSync, openSync, readSync, writeSync } from 'node:fs';
import type { Piece, ReadAt } from '../../src/formats/bytes.ts';

/** The environment of the judges: fixed locale and time zone, and sbin for users whose PATH lacks it. */
export const judgeEnvironment = {
  ...process.env,
  PATH: `${process.env.PATH ?? ''}:/usr/sbin:/sbin`,
  LC_ALL: 'C.UTF-8',
  TZ: 'UTC',
};

/** Output and status of a judge: a program that others wrote. */
export function run(program: string, ...args: string[]): { status: number | null; output: string } {
  const result = spawnSync(program, args, { encoding: 'utf8', env: judgeEnvironment });
  if (result.error) throw result.error;
  return { status: result.status, output: result.stdout + result.stderr };
}

/** A disk image in a sparse file. */
export class DiskFile {
  readonly path: string;
  readonly #fd: number;

  /** @param size bytes, all zeros */
  constructor(path: string, size: number) {
    this.path = path;
    this.#fd = openSync(path, 'w+');
    ftruncateSync(this.#fd, size);
  }

  get size(): number {
    return fstatSync(this.#fd).size;
  }

  readonly read: ReadAt = (offset, length) => {
    const bytes = Buffer.alloc(length);
    return bytes.subarray(0, readSync(this.#fd, bytes, 0, length, offset));
  };

  write(pieces: readonly Piece[]): this {
    for (const { offset, bytes } of pieces) writeSync(this.#fd, bytes, 0, bytes.length, offset);
    return this;
  }

  resize(size: number): void {
    ftruncateSync(this.#fd, size);
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }
}
