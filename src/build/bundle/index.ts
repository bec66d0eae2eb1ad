import { join } from 'node:path';
import { type BuildFailure, type BuildOptions, build } from 'esbuild';
import { FwError } from '../../errors.ts';
import { esbuildError, toolkitModule } from '../../project/esbuild.ts';
import type { Project } from '../../project/load.ts';
import type { Arch } from '../target.ts';
import { nativeAddons } from './native-addons.ts';
import { toolkitLibrary } from './toolkit-library.ts';

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
  // CommonJS packages inside an ES module expect require, __filename and __dirname. ES modules often declare their
  // own: esbuild renames an app's `require`, but not the other two, and a second declaration is a syntax error.
  banner: {
    js: [
      "import { createRequire as __hearthCreateRequire } from 'node:module';",
      'const require = __hearthCreateRequire(import.meta.url);',
      'const __hearthFilename = import.meta.filename, __hearthDirname = import.meta.dirname;',
    ].join('\n'),
  },
  define: { __filename: '__hearthFilename', __dirname: '__hearthDirname' },
};

/** The app and all it imports as one module for the pinned Node. */
export async function bundleApp(project: Project, arch: Arch): Promise<Bundle> {
  const addons = new Map<string, Uint8Array>();
  const result = await build({
    ...common,
    entryPoints: [join(project.dir, project.config.app.entry)],
    absWorkingDir: project.dir,
    outfile: 'app.mjs',
    plugins: [toolkitLibrary(), nativeAddons(addons, arch)],
  }).catch((error: unknown) => {
    throw (
      ownError(error) ??
      esbuildError(
        error,
        'app-bundle',
        'the app cannot be bundled',
        'Correct the source; a package that cannot be resolved needs `npm install NAME`.',
      )
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

/** An error of one of our plugins, which esbuild hands on as the detail of its own. */
function ownError(error: unknown): FwError | undefined {
  const details = (error as Partial<BuildFailure>).errors?.map(({ detail }) => detail as unknown);
  return details?.find((detail) => detail instanceof FwError);
}
