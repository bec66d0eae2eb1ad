import { readFile } from 'node:fs/promises';
import { basename, dirname, extname } from 'node:path';
import { build, type Loader, type Plugin, transform } from 'esbuild';
import type { Env } from '../../otp/config/env.ts';

/** Names that no app has. The calls to drop are given to a property of `console`, as esbuild drops whole calls of that alone. */
const CONSOLE = '__hearthConsole';
const LOGGER = '__hearthLogger';
const DROPPED = '__hearthDropped';

/** The imports as esbuild prints them, with the names in between. */
const IMPORT = /^import \{ ([^{}]*) \} from "hearthfw";$/gm;
/** A module's own logger, at the top of the module. */
const DERIVED = /^const ([\w$]+) = ([\w$]+)\.(?:module|with)\(/gm;

const ESM = {
  platform: 'node',
  format: 'esm',
  target: 'node24',
  charset: 'utf8',
  logLevel: 'silent',
} as const;

/**
 * Makes constants of what an app imports from `hearthfw`: `env` becomes a text, so that branches which it rules out are
 * left out; in production whole calls of `logger.debug(…)` go, with their arguments. Names that hide the imported
 * ones are respected: esbuild itself resolves the names. A file that is not as expected is left as it is, which costs bytes but
 * nothing else.
 */
export function libraryConstants(env: Env): Plugin {
  return {
    name: 'hearthfw-constants',
    setup(context) {
      context.onLoad({ filter: /\.[cm]?[jt]sx?$/, namespace: 'file' }, async ({ path }) => {
        if (path.includes('/node_modules/')) return undefined;
        const source = await readFile(path, 'utf8');
        if (!/hearthfw/.test(source) || !/\benv\b|\blogger\b/.test(source)) return undefined;
        const contents = await withConstants(path, env).catch(() => undefined);
        return contents === undefined ? undefined : { contents, loader: 'js' satisfies Loader };
      });
    },
  };
}

/** The module as JavaScript with its source map at its end; undefined when it imports nothing of ours that is constant. */
async function withConstants(path: string, env: Env): Promise<string | undefined> {
  // Types go first, by the project's tsconfig.json; what the app itself writes to the console is set aside.
  const plain = await build({
    ...ESM,
    entryPoints: [path],
    absWorkingDir: dirname(path),
    bundle: false,
    write: false,
    metafile: true,
    sourcemap: 'inline',
    outfile: `${basename(path, extname(path))}.hearth.js`,
    define: { console: CONSOLE },
  });
  const code = plain.outputFiles[0]?.text ?? '';
  const imports = Object.values(plain.metafile.outputs).flatMap((output) => output.imports);
  const ours = imports.filter(({ path: from, kind }) => from === 'hearthfw' && kind === 'import-statement');
  // One more would be a text in the app that looks like an import.
  if ([...code.matchAll(IMPORT)].length > ours.length) return undefined;

  const defines: Record<string, string> = {};
  let loggers = 0;
  const detached = (local: string): string => {
    const alias = `${LOGGER}${++loggers}`;
    defines[local] = alias;
    defines[`${local}.debug`] = `console.${DROPPED}${loggers}`;
    // Not calls of it: these want the function.
    for (const method of ['bind', 'call', 'apply'])
      defines[`${local}.debug.${method}`] = `${alias}.debug.${method}`;
    return alias;
  };
  let unbound = code.replace(IMPORT, (_whole, names: string) => {
    const left = names.split(', ').flatMap((name) => {
      const [imported, local = imported] = name.split(' as ');
      if (imported === 'env' && local !== undefined) {
        defines[local] = JSON.stringify(env);
        return [];
      }
      if (imported !== 'logger' || local === undefined || env !== 'prod') return [name];
      return [`logger as ${detached(local)}`];
    });
    return left.length === 0 ? 'import "hearthfw";' : `import { ${left.join(', ')} } from "hearthfw";`;
  });
  unbound = unbound.replace(DERIVED, (whole, local: string, from: string, at: number) => {
    // Not what is exported: other modules want it under its name. Not what stands in a template.
    const exported = new RegExp(`^export \\{[^}]*\\b${local.replaceAll('$', '\\$')}\\b`, 'm').test(unbound);
    if (!(`${from}.debug` in defines) || exported || unbound.slice(0, at).split('`').length % 2 === 0)
      return whole;
    return `const ${detached(local)} = ${whole.slice(whole.indexOf('= ') + 2)}`;
  });
  if (Object.keys(defines).length === 0) return undefined;

  const step = { ...ESM, sourcefile: basename(path), sourcemap: 'inline', loader: 'js' } as const;
  const named = await transform(unbound, { ...step, define: defines });
  const dropped = await transform(named.code, { ...step, drop: ['console'], minifySyntax: true });
  const restored: Record<string, string> = { [CONSOLE]: 'console' };
  for (let n = 1; n <= loggers; n++) restored[`console.${DROPPED}${n}`] = `${LOGGER}${n}.debug`;
  return (await transform(dropped.code, { ...step, define: restored })).code;
}
