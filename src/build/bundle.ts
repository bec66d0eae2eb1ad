import { basename, join } from 'node:path';
import { type BuildOptions, build, type Plugin } from 'esbuild';
import { FwError } from '../errors.ts';
import { isElf, readElf } from '../formats/elf.ts';
import { esbuildError, toolkitAlias, toolkitModule } from '../project/esbuild.ts';
import type { Project } from '../project/load.ts';
import type { Arch } from './target.ts';

export interface Bundle {
  code: Uint8Array;
  /** Source map, JSON. Stays beside the .fw: devices do not carry it. */
  map: Uint8Array;
  /** Native addons that the code loads, by the name under which it finds them beside itself. */
  addons: Map<string, Uint8Array>;
}

const common: BuildOptions = {
  bundle: true,
  write: false,
  platform: 'node',
  format: 'esm',
  target: 'node24',
  logLevel: 'silent',
  sourcemap: 'external',
  sourcesContent: true,
  legalComments: 'none',
  charset: 'utf8',
  // CommonJS packages inside an ES module expect these three.
  banner: {
    js: [
      "import { createRequire as __createRequire } from 'node:module';",
      'const require = __createRequire(import.meta.url);',
      'const __filename = import.meta.filename, __dirname = import.meta.dirname;',
    ].join('\n'),
  },
};

/** The app and all it imports as one module for the pinned Node. */
export async function bundleApp(project: Project, arch: Arch): Promise<Bundle> {
  const addons = new Map<string, Uint8Array>();
  const result = await build({
    ...common,
    entryPoints: [join(project.dir, project.config.app.entry)],
    absWorkingDir: project.dir,
    outfile: 'app.mjs',
    alias: toolkitAlias(),
    plugins: [nativeAddons(addons, arch)],
  }).catch((error: unknown) => {
    throw esbuildError(
      error,
      'app-bundle',
      'the app cannot be bundled',
      'Correct the source; a package that cannot be resolved needs `npm install NAME`.',
    );
  });
  return { ...outputs(result.outputFiles ?? [], 'app.mjs'), addons };
}

/** hearthd, for the device. */
export async function bundleHearthd(): Promise<Bundle> {
  const entry = toolkitModule('device/main');
  const result = await build({
    ...common,
    entryPoints: [entry],
    outfile: 'hearthd.mjs',
    absWorkingDir: join(entry, '../..'),
    minify: true,
    keepNames: true,
  });
  return { ...outputs(result.outputFiles ?? [], 'hearthd.mjs'), addons: new Map() };
}

function outputs(
  files: { path: string; contents: Uint8Array }[],
  name: string,
): { code: Uint8Array; map: Uint8Array } {
  const find = (ending: string): Uint8Array => {
    const file = files.find(({ path }) => path.endsWith(ending));
    if (!file) throw new Error(`esbuild wrote no ${ending}`);
    return file.contents;
  };
  return { code: find(name), map: find(`${name}.map`) };
}

/**
 * `.node` files go beside the bundle, each checked for the target's machine: a prebuilt addon for the developer's
 * own computer is the commonest way to ship firmware that cannot start.
 */
function nativeAddons(addons: Map<string, Uint8Array>, arch: Arch): Plugin {
  return {
    name: 'native-addons',
    setup(context) {
      context.onResolve({ filter: /\.node$/ }, async (args) => {
        if (args.pluginData === 'resolving') return undefined;
        const found = await context.resolve(args.path, {
          kind: args.kind,
          resolveDir: args.resolveDir,
          importer: args.importer,
          pluginData: 'resolving',
        });
        return found.errors.length > 0 ? found : { path: found.path, namespace: 'addon' };
      });
      context.onLoad({ filter: /.*/, namespace: 'addon' }, async ({ path }) => {
        const { readFile } = await import('node:fs/promises');
        const bytes = await readFile(path);
        const machine = isElf(bytes) ? readElf(bytes).machine : undefined;
        if (machine !== arch) {
          throw new FwError(
            'addon-wrong-arch',
            `the native addon ${path} is for ${machine ?? 'no machine that is known'}`,
            {
              where: path,
              expected: `an ELF shared object for ${arch}`,
              remedy: `Install or build the package for linux ${arch === 'aarch64' ? 'arm64' : 'x64'}; see docs/addons.md.`,
            },
          );
        }
        const name = basename(path);
        addons.set(name, bytes);
        return { contents: `module.exports = require(${JSON.stringify(`./${name}`)});`, loader: 'js' };
      });
      context.onResolve({ filter: /\.node$/, namespace: 'addon' }, ({ path }) => ({ path, external: true }));
    },
  };
}
