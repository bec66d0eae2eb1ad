import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** For tests: what a small but real module says of itself. */
export interface SampleModule {
  /** The file's name without `.ko`; may have `-`. */
  file: string;
  /** `key=value` strings for .modinfo besides the name. */
  modinfo?: string[];
  /** Symbols that it exports, and those of others that it refers to: what depmod works dependencies out from. */
  exports?: string[];
  imports?: string[];
}

/** Assembles modules, without kernel headers: object files with the sections that depmod and modinfo read. */
export function assembleModules(samples: SampleModule[], compiler = 'gcc'): Map<string, Uint8Array> {
  const dir = mkdtempSync(join(tmpdir(), 'hearth-kmod-'));
  try {
    const sources = samples.map((sample, i) => {
      writeFileSync(join(dir, `${i}.s`), assembly(sample));
      return `${i}.s`;
    });
    execFileSync(compiler, ['-c', ...sources], { cwd: dir });
    return new Map(samples.map(({ file }, i) => [file, new Uint8Array(readFileSync(join(dir, `${i}.o`)))]));
  } finally {
    rmSync(dir, { recursive: true, force: true });
  }
}

function assembly({ file, modinfo = [], exports = [], imports = [] }: SampleModule): string {
  const strings = (values: string[]) => values.map((value) => `.asciz ${JSON.stringify(value)}`);
  return [
    '.section .modinfo,"a"',
    ...strings([...modinfo, `name=${file.replaceAll('-', '_')}`]),
    '.section __ksymtab_strings,"a"',
    ...strings(exports),
    '.data',
    ...imports.map((symbol) => `.quad ${symbol}`),
    '',
  ].join('\n');
}
