import { join } from 'node:path';
import type { Plugin } from 'esbuild';

/** Where a project says what its app reads from the environment. */
export const RUNTIME_CONFIG = 'config/runtime.ts';

/** The entry of a bundle that has one. */
export const ENTRY = 'app-entry';

/** A module that loads the runtime configuration and then the app: ES modules are evaluated in the order of their imports. */
export function appEntry(folder: string, app: string): Plugin {
  return {
    name: ENTRY,
    setup(context) {
      context.onResolve({ filter: new RegExp(`^${ENTRY}$`) }, ({ kind, path }) =>
        kind === 'entry-point' ? { path, namespace: ENTRY } : undefined,
      );
      context.onLoad({ filter: /.*/, namespace: ENTRY }, () => ({
        contents: `import 'runtime';\nimport 'app';\n`,
        resolveDir: folder,
      }));
      // What a plugin has resolved is evaluated for what it does, whatever a package.json says of side effects.
      context.onResolve({ filter: /^(runtime|app)$/, namespace: ENTRY }, ({ path }) => ({
        path: path === 'app' ? app : join(folder, RUNTIME_CONFIG),
      }));
    },
  };
}
