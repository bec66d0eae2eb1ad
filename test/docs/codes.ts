import { globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { REPOSITORY } from './blocks.ts';

/**
 * The codes of all errors that the sources can make. Where a code is put together (`fw-member-${what}`) it is a pattern.
 * Read from the text: there is no other list of them that could be forgotten.
 */
export interface Codes {
  /** Code -> the files that use it. */
  exact: Map<string, string[]>;
  patterns: { pattern: RegExp; file: string }[];
  /** Where a code is made that could not be followed to its literals. */
  unknown: string[];
}

/** Where the classes themselves are. */
const BASE = 'src/errors.ts';

interface Source {
  file: string;
  text: string;
}

export function codesInSources(): Codes {
  const sources = globSync('{src,targets}/**/*.ts', { cwd: REPOSITORY })
    .filter((file) => !/\.(test|fixture)\.ts$/.test(file))
    .sort()
    .map((file) => ({ file, text: readFileSync(join(REPOSITORY, file), 'utf8') }));
  return codesIn(sources);
}

export function codesIn(sources: readonly Source[]): Codes {
  const codes: Codes = { exact: new Map(), patterns: [], unknown: [] };
  const add = (file: string, code: string): void => {
    const files = codes.exact.get(code) ?? [];
    codes.exact.set(code, files.includes(file) ? files : [...files, file]);
  };
  for (const source of sources.filter(({ file }) => file !== BASE)) {
    const { file, text } = source;
    const subclass = /class \w+ extends FwError/.test(text);
    for (const [name, prefix] of [
      ['new FwError', ''],
      ['new FormatError', 'bad-'],
      ...(subclass ? [['super', ''] as const] : []),
    ] as const) {
      for (const { args, at } of calls(text, name)) {
        const [code = ''] = args;
        if (name === 'super' && !isInFwError(text.slice(0, at))) continue;
        if (isHandedOn(code, text.slice(0, at))) continue;
        const found = literals(code, at, source, sources);
        if (found.length === 0) codes.unknown.push(`${file}: ${name}(${code}, …)`);
        for (const each of found) {
          if (!each.includes('${')) add(file, prefix + each);
          else codes.patterns.push({ pattern: pattern(prefix + each), file });
        }
      }
    }
  }
  return codes;
}

/** Whether the class that text ends in is an FwError: a file may have others. */
function isInFwError(before: string): boolean {
  return [...before.matchAll(/\bclass \w+ extends (\w+)/g)].at(-1)?.[1] === 'FwError';
}

/** An error made from another one, whose code it keeps. */
function isHandedOn(expression: string, before: string): boolean {
  const body = before.slice(before.lastIndexOf('function '));
  return new RegExp(`const \\{[^}]*\\b${expression}\\b[^}]*\\} = error;`).test(body);
}

function pattern(code: string): RegExp {
  return new RegExp(`^${code.replace(/\$\{[^}]*\}/g, '[a-z-]+')}$`);
}

/** The literals that an expression can be: its own, or those that callers hand to the parameter that it names. */
function literals(expression: string, at: number, source: Source, sources: readonly Source[]): string[] {
  const own = [...expression.matchAll(/(['`])((?:(?!\1).)*)\1/g)].map(([, , code = '']) => code);
  if (own.length > 0) return own.flatMap((code) => filledIn(code, at, source, sources));
  const before = source.text.slice(0, at);
  if (expression.startsWith('this.')) {
    const [, name] = [...before.matchAll(/\bclass (\w+)/g)].at(-1) ?? [];
    return name === undefined ? [] : handed(`new ${name}`, 0, sources);
  }
  const declared = [...before.matchAll(/(export )?(?:async )?function (\w+)(?:<[^>]*>)?\(/g)].at(-1);
  if (!declared || !/^\w+$/.test(expression)) return [];
  const parameters = argumentsAt(source.text, declared.index + declared[0].length);
  const index = parameters.findIndex((each) => each.startsWith(`${expression}:`));
  const [, exported, name = ''] = declared;
  return index < 0 ? [] : handed(name, index, exported ? sources : [source]);
}

/** A template, once for each literal that its one gap can be; as it is where those cannot be told. */
function filledIn(code: string, at: number, source: Source, sources: readonly Source[]): string[] {
  const [gap, name] = /\$\{(\w+)\}/.exec(code) ?? [];
  if (gap === undefined || name === undefined) return [code];
  const values = literals(name, at, source, sources);
  return values.length > 0 ? values.map((value) => code.replace(gap, value)) : [code];
}

/** The literals that stand at a place among the arguments of all calls of a function. */
function handed(name: string, index: number, sources: readonly Source[]): string[] {
  return sources
    .flatMap(({ text }) => calls(text, name))
    .flatMap(({ args }) => /^'([a-z0-9-]+)'$/.exec(args[index] ?? '')?.[1] ?? []);
}

function calls(text: string, name: string): { at: number; args: string[] }[] {
  const start = new RegExp(`(?<!function )\\b${name}\\(`, 'g');
  return [...text.matchAll(start)].map((match) => ({
    at: match.index,
    args: argumentsAt(text, match.index + match[0].length),
  }));
}

/** The arguments of a call, as they are written, from behind its opening parenthesis. */
function argumentsAt(text: string, from: number): string[] {
  const args: string[] = [];
  let start = from;
  let depth = 0;
  let quote = '';
  for (let at = from; at < text.length; at++) {
    const c = text[at] ?? '';
    if (quote !== '') {
      if (c === '\\') at++;
      else if (c === quote) quote = '';
    } else if (c === "'" || c === '"' || c === '`') quote = c;
    else if ('([{'.includes(c)) depth++;
    else if (c === ',' && depth === 0) {
      args.push(text.slice(start, at).trim());
      start = at + 1;
    } else if (')]}'.includes(c) && depth-- === 0) {
      args.push(text.slice(start, at).trim());
      return args.filter((each) => each !== '');
    }
  }
  return args;
}

/** The codes that a page explains: what stands as code in the first column of its tables. */
export function codesInPage(text: string): Set<string> {
  const cells = [...text.matchAll(/^\| (`[^|]*) \|/gm)].map(([, cell = '']) => cell);
  return new Set(
    cells.flatMap((cell) => [...cell.matchAll(/`([a-z0-9]+(?:-[a-z0-9]+)*)`/g)].map(([, code = '']) => code)),
  );
}
