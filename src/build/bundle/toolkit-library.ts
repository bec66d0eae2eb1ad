import { readFile } from 'node:fs/promises';
import { dirname, join, posix, relative, sep } from 'node:path';
import type { Plugin } from 'esbuild';
import { FwError } from '../../errors.ts';
import { toolkitModule } from '../../project/esbuild.ts';

const NAME = 'hearthfw';

/**
 * An app's import of `hearthfw` gets the library of the toolkit that builds it, so that app and hearthd agree. Its
 * modules are named `hearthfw:FILE` in the bundle, wherever the toolkit lies: the way from a project to the toolkit
 * must not change a firmware's bytes.
 */
export function toolkitLibrary(): Plugin {
  const entry = toolkitModule('otp/index');
  const folder = dirname(entry);
  return {
    name: NAME,
    setup(context) {
      context.onResolve({ filter: /^hearthfw(\/|$)/ }, ({ path, importer }) => {
        if (path === NAME) return { path: relative(folder, entry).replaceAll(sep, '/'), namespace: NAME };
        throw new FwError('app-bundle', `${importer} imports ${path}, which apps cannot`, {
          where: importer,
          expected: `'${NAME}': everything that an app can use is there`,
          remedy: `Import from '${NAME}'.`,
        });
      });
      context.onResolve({ filter: /^\./, namespace: NAME }, ({ path, importer }) => ({
        path: posix.join(posix.dirname(importer), path),
        namespace: NAME,
        // What an app does not use leaves nothing in its bundle, not even its classes.
        sideEffects: false,
      }));
      context.onLoad({ filter: /.*/, namespace: NAME }, async ({ path }) => ({
        contents: await readFile(join(folder, path), 'utf8'),
        loader: path.endsWith('.ts') ? 'ts' : 'js',
        resolveDir: folder,
      }));
    },
  };
}
