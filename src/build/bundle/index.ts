import { existsSync, realpathSync } from 'node:fs';
import { basename, join } from 'node:path';
import { type BuildFailure, type BuildOptions, build, type Metafile } from 'esbuild';
import { FwError } from '../../errors.ts';
import type { Env } from '../../otp/config/env.ts';
import { esbuildError, toolkitModule } from '../../project/esbuild.ts';
import type { Project } from '../../project/load.ts';
import type { Arch } from '../target.ts';
import { appEntry, ENTRY, RUNTIME_CONFIG } from './app-entry.ts';
import { builtinModules } from './builtin-modules.ts';
import { namedByCode } from './chunk-names.ts';
import { libraryConstants } from './constants.ts';
import { nativeAddons } from './native-addons.ts';
import { lastChange, noteSeen, type Seen } from './seen.ts';
import { toolkitLibrary } from './toolkit-library.ts';

export interface Bundle {
  code: Uint8Array;
  /** Source map, JSON. Stays beside the .fw: devices do not carry it. */
  map: Uint8Array;
  /** Native addons that the code loads, by the name under which it finds them beside itself. */
  addons: Map<string, Uint8Array>;
  /** The file that each addon was on this machine, by the same name. */
  addonSources: Map<string, string>;
  /** The files on this machine of which something is in the code, without the toolkit's library; absolute, no links. */
  inputs: string[];
}

/** Modules of our plugins, which are no files: `hearthfw:index.ts`, `addon:x.node`, `builtin:node:fs`. */
const PLUGIN_MODULE = /^(hearthfw|addon|app-entry|builtin):/;

const common = {
  bundle: true,
  write: false,
  metafile: true,
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
} satisfies BuildOptions;

/** What the code of a project is built for, where nobody says otherwise. */
export function envOf({ config }: Project): Env {
  return config.dev ? 'dev' : 'prod';
}

export interface AppBundleOptions {
  /** Default as the project says. */
  env?: Env | undefined;
  /** A module of the device that is evaluated before anything of the app; absolute. */
  first?: string;
  /** Filled with what the bundling sees of the project. */
  seen?: Seen;
}

/** The app and all it imports as one module for the pinned Node. `config/runtime.ts`, if there is one, runs before it. */
export async function bundleApp(
  project: Project,
  arch: Arch,
  { env = envOf(project), first, seen }: AppBundleOptions = {},
): Promise<Bundle> {
  const addons = new Map<string, Uint8Array>();
  const addonSources = new Map<string, string>();
  const entry = join(project.dir, project.config.app.entry);
  const result = await build({
    ...common,
    entryPoints: [existsSync(join(project.dir, RUNTIME_CONFIG)) ? ENTRY : entry],
    absWorkingDir: project.dir,
    outfile: 'app.mjs',
    define: { ...common.define, 'process.env.FW_ENV': JSON.stringify(env) },
    ...(first !== undefined && { banner: { js: `import '${first}';\n${common.banner.js}` } }),
    // Merges statements, which makes stepping through the code hard.
    minifySyntax: env === 'prod',
    plugins: [
      ...(seen ? [noteSeen(seen, project.dir)] : []),
      builtinModules(),
      appEntry(project.dir, entry),
      toolkitLibrary(),
      libraryConstants(env),
      nativeAddons(addons, addonSources, arch),
    ],
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
  for (const source of addonSources.values()) seen?.files.set(source, lastChange(source));
  const inputs = inputsOf(result.metafile, project.dir);
  return { ...outputs(result.outputFiles ?? [], 'app.mjs'), addons, addonSources, inputs };
}

export interface HearthdBundle {
  /** `hearthd.mjs`, and what it loads later from beside itself, by name. */
  files: Map<string, Uint8Array>;
  /** Their source maps, by the same names with `.map` behind. */
  maps: Map<string, Uint8Array>;
  /** As in `Bundle`. */
  inputs: string[];
}

/** hearthd, for a device or for a server. */
export async function bundleHearthd(
  main: 'device/main' | 'device/server' = 'device/main',
): Promise<HearthdBundle> {
  const entry = toolkitModule(main);
  const folder = join(entry, '../..');
  const result = await build({
    ...common,
    entryPoints: [{ in: entry, out: 'hearthd' }],
    splitting: true,
    outdir: '.',
    // `services` and `later` for what src/device loads by these names, and a `chunk` for each set of files that share modules.
    chunkNames: 'hearthd-[name]-[hash]',
    outExtension: { '.js': '.mjs' },
    absWorkingDir: folder,
    minify: true,
    keepNames: true,
    plugins: [builtinModules()],
  });
  const written = namedByCode(
    result.outputFiles.map(({ path, contents }) => ({ name: basename(path), contents })),
  );
  const those = (ending: string) =>
    new Map(
      written.filter(({ name }) => name.endsWith(ending)).map(({ name, contents }) => [name, contents]),
    );
  return {
    files: those('.mjs'),
    maps: those('.map'),
    inputs: inputsOf(result.metafile, folder),
  };
}

/** The outputs' own inputs: what was only imported for its types, or was shaken off, is not among them. */
function inputsOf(metafile: Metafile, folder: string): string[] {
  const code = Object.entries(metafile.outputs).filter(([path]) => path.endsWith('.mjs'));
  return code
    .flatMap(([, { inputs }]) => Object.keys(inputs))
    .filter((path) => !PLUGIN_MODULE.test(path))
    .map((path) => realpathSync(join(folder, path)));
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
