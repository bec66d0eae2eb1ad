import * as module from 'node:module';
import { compileFunction } from 'node:vm';

/** The body of a function without TypeScript's types, line by line where it was. @throws SyntaxError */
export function withoutTypes(body: string): string {
  // As a function: a `return` is an error elsewhere. Not imported by its name, which Node 20 does not have.
  const [before, after] = ['async function f() {', '\n}'];
  return module.stripTypeScriptTypes(before + body + after).slice(before.length, -after.length);
}

/**
 * What was typed into a console, as JavaScript. What is none, and no TypeScript, stays as it is, for the console to say so
 * or to ask for more. The stripper is a program of some megabytes: who types JavaScript never loads it.
 */
export function typedAsJavaScript(code: string): string {
  try {
    compileFunction(`(async () => {\n${code}\n})`);
    return code;
  } catch {
    try {
      return withoutTypes(code);
    } catch {
      return code;
    }
  }
}
