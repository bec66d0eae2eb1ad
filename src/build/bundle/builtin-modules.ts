import { readFileSync } from 'node:fs';
import type { ImportKind, OnResolveResult, Plugin } from 'esbuild';

const NAME = 'builtin';
const RESOLVING = 'resolving';

/** What the modules of the pinned Node export, by the name that Node lists them by. builtin-modules.test.ts makes it, and compares. */
const EXPORTS = new Map(
  Object.entries<readonly string[]>(
    JSON.parse(readFileSync(new URL('../../../bin/node-exports.json', import.meta.url), 'utf8')),
  ),
);

/**
 * Node's own modules come by `require`, and when the first module that wants one is evaluated. For an `import` Node evaluates all that
 * a builtin offers: with `node:http` that loads fetch and WebSocket, which nobody asked for and which takes longer than the start of
 * Node itself. And it loads at once what is asked for only by modules that are themselves loaded later.
 */
export function builtinModules(): Plugin {
  return {
    name: NAME,
    setup(context) {
      context.onResolve({ filter: /^[a-z][a-z0-9_:/]*$/ }, ({ path, kind }) => resolved(path, kind));
      // A package's own name for a module, which may be one of Node's.
      context.onResolve({ filter: /^#/ }, async ({ path, pluginData, ...args }) => {
        if (pluginData === RESOLVING) return undefined;
        const found = await context.resolve(path, { ...args, pluginData: RESOLVING });
        return found.external ? resolved(found.path, args.kind) : undefined;
      });
      context.onLoad({ filter: /.*/, namespace: NAME }, ({ path }) => ({
        contents: asModule(path, exportsOf(path) ?? []),
      }));
    },
  };
}

function resolved(written: string, kind: ImportKind): OnResolveResult | undefined {
  if (!exportsOf(written)) return undefined;
  // One module by both of its names. And esbuild does not know all of them without `node:`.
  const path = written.startsWith('node:') ? written : `node:${written}`;
  return kind === 'import-statement'
    ? { path, namespace: NAME, sideEffects: false }
    : { path, external: true };
}

/** `fs` is Node's with and without `node:`; `node:sqlite` is so only with it, and `sqlite` a package. */
function exportsOf(path: string): readonly string[] | undefined {
  return EXPORTS.get(path) ?? EXPORTS.get(path.replace(/^node:/, ''));
}

/** Each is asked for on its own, so that what nobody imports is left out. */
function asModule(path: string, names: readonly string[]): string {
  return [
    `const builtin = /* @__PURE__ */ require(${JSON.stringify(path)});`,
    'export default builtin;',
    ...names.map((name, n) => `const _${n} = /* @__PURE__ */ (() => builtin.${name})();`),
    `export { ${names.map((name, n) => `_${n} as ${name}`).join(', ')} };`,
  ].join('\n');
}
