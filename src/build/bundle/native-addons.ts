import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import type { Plugin } from 'esbuild';
import { FwError } from '../../errors.ts';
import { machineOf } from '../../formats/elf.ts';
import { sha256 } from '../hash.ts';
import type { Arch } from '../target.ts';

const NAMESPACE = 'addon';
const RESOLVING = 'resolving';

/**
 * `.node` files go beside the bundle, each checked for the target's machine: a prebuilt addon for the developer's
 * own computer is the commonest way to ship firmware that cannot start.
 * @param addons filled: bytes by the name under which the bundle finds them beside itself
 * @param sources filled: the file that each was, by the same name
 */
export function nativeAddons(
  addons: Map<string, Uint8Array>,
  sources: Map<string, string>,
  arch: Arch,
): Plugin {
  return {
    name: 'native-addons',
    setup(context) {
      context.onResolve({ filter: /\.node$/ }, async (args) => {
        if (args.pluginData === RESOLVING) return undefined;
        // The addon's own name, in the module that stands for it below.
        if (args.namespace === NAMESPACE) return { path: args.path, external: true };
        const found = await context.resolve(args.path, {
          kind: args.kind,
          resolveDir: args.resolveDir,
          importer: args.importer,
          pluginData: RESOLVING,
        });
        if (found.errors.length > 0) return found;
        const bytes = await readFile(found.path);
        checkMachine(found.path, bytes, arch);
        const name = nameFor(found.path, bytes);
        addons.set(name, bytes);
        sources.set(name, found.path);
        return { path: name, namespace: NAMESPACE };
      });
      context.onLoad({ filter: /.*/, namespace: NAMESPACE }, ({ path: name }) => ({
        contents: `module.exports = require(${JSON.stringify(`./${name}`)});`,
        loader: 'js',
      }));
    },
  };
}

/** Half of all addons are called binding.node: their bytes tell them apart, the same on every computer. */
function nameFor(path: string, bytes: Uint8Array): string {
  return `${basename(path, '.node')}-${sha256(bytes).slice(0, 8)}.node`;
}

function checkMachine(path: string, bytes: Uint8Array, arch: Arch): void {
  const machine = machineOf(bytes);
  if (machine === arch) return;
  throw new FwError(
    'addon-wrong-arch',
    `the native addon ${path} is for ${machine ?? 'no machine that is known'}`,
    {
      where: path,
      expected: `an ELF shared object for ${arch}`,
      remedy: `Install or build the package for linux ${arch === 'aarch64' ? 'arm64' : 'x64'}.`,
    },
  );
}
