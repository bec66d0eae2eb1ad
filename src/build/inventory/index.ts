import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { FwError } from '../../errors.ts';
import type { DirNode } from '../../formats/tree.ts';
import type { Bundle, HearthdBundle } from '../bundle/index.ts';
import { readTrybootRecord, trybootTexts } from '../system/tryboot.ts';
import type { Arch, Target } from '../target.ts';
import type { LoadedTarget } from '../targets.ts';
import { file, inMemory, insert } from '../tree.ts';
import { copyrightLicences } from './copyright.ts';
import { DEBIAN_SUITE, debianPackages } from './debian.ts';
import { bundledPackages, type FoundPackage, packageFolder, packageId } from './npm.ts';
import {
  encodeInventory,
  INVENTORY_FILE,
  INVENTORY_FORMAT,
  type Inventory,
  type NpmPackage,
} from './schema.ts';

export { INVENTORY_FILE, type Inventory, parseInventory } from './schema.ts';

const TOOLKIT = new URL('../../../', import.meta.url);
const PREBUILT = new URL('firmware/heart/prebuilt/', TOOLKIT);
const NPM_DOC = '/usr/share/doc/npm';
const HEARTH_DOC = '/usr/share/doc/hearthfw/copyright';
const MUSL_DOC = '/usr/share/doc/musl/copyright';
const TRYBOOT_DOC = '/usr/share/doc/hearth-tryboot';

/** Folders of the root that change with the app: the image keeps them behind what stays. */
export const INVENTORY_FOLDERS = [INVENTORY_FILE.slice(0, INVENTORY_FILE.lastIndexOf('/')), NPM_DOC];

export interface InventoryInput {
  loaded: LoadedTarget;
  /** The project's folder. */
  project: string;
  app: Bundle;
  hearthd: Pick<HearthdBundle, 'inputs'>;
}

/** Puts into a root what it is made of, and those words of licences that no Debian package has brought. */
export async function addInventory(root: DirNode, input: InventoryInput): Promise<void> {
  const { target, lock } = input.loaded;
  const { app, hearthd } = input;
  const project = realpathSync(input.project);
  const toolkit = fileURLToPath(TOOLKIT).replace(/[\\/]$/, '');
  const found = await bundledPackages([
    { by: 'app', files: [...app.inputs, ...app.addonSources.values()], project },
    { by: 'hearthd', files: hearthd.inputs, project: toolkit },
  ]);
  const { version, license } = JSON.parse(readFileSync(new URL('package.json', TOOLKIT), 'utf8')) as {
    version: string;
    license: string;
  };
  const inventory: Inventory = {
    format: INVENTORY_FORMAT,
    hearth: { version, licence: license, licenceFile: addOwnLicence(root) },
    lockDate: lock.date,
    suite: DEBIAN_SUITE,
    kernel: lock.kernel,
    node: {
      version: lock.node.version,
      package: lock.node.package,
      integrity: lock.node.integrity,
      // Node's own; those of what it contains are in the file.
      licence: 'MIT',
      licenceFile: '/usr/share/doc/nodejs/copyright',
    },
    heart: addHeart(root, target.arch, license),
    ...addTryboot(root, target),
    debian: await debianPackages(lock, root),
    npm: found.map((each) => addPackage(root, each)),
    addons: addonsOf(app, project, found),
  };
  insert(root, INVENTORY_FILE, file(encodeInventory(inventory)));
}

/** Of hearthd, heart and the library inside the app. It lies beside package.json; in the npm package, above dist/. */
function addOwnLicence(root: DirNode): string {
  const url = ['LICENSE', '../LICENSE']
    .map((path) => new URL(path, TOOLKIT))
    .find((each) => existsSync(each));
  if (!url)
    throw new FwError('toolkit-damaged', 'hearthfw lacks its LICENSE', {
      where: fileURLToPath(TOOLKIT),
      remedy: 'Install hearthfw again.',
    });
  insert(root, HEARTH_DOC, file(readFileSync(url)));
  return HEARTH_DOC;
}

/** heart is linked with musl, whose notice must come along. */
function addHeart(root: DirNode, arch: Arch, licence: string): Inventory['heart'] {
  const { binaries } = JSON.parse(readFileSync(new URL('hashes.json', PREBUILT), 'utf8')) as {
    binaries: Record<Arch, { sha256: string; musl: string }>;
  };
  const copyright = readFileSync(new URL('musl.copyright', PREBUILT));
  insert(root, MUSL_DOC, file(copyright));
  const licences = copyrightLicences(copyright.toString('utf8'));
  const { sha256, musl } = binaries[arch];
  return {
    sha256,
    licence,
    musl: { version: musl, ...(licences ? { licences } : {}), licenceFile: MUSL_DOC },
  };
}

/** The licence wants to travel with the module, and so does the source: it is small. */
function addTryboot(root: DirNode, { boot }: Target): Pick<Inventory, 'tryboot'> {
  if (boot.family !== 'pi') return {};
  for (const [name, bytes] of trybootTexts()) insert(root, `${TRYBOOT_DOC}/${name}`, file(bytes));
  return {
    tryboot: {
      sha256: readTrybootRecord().sha256,
      licence: 'GPL-2.0-only',
      licenceFile: `${TRYBOOT_DOC}/copyright`,
      sourceFile: `${TRYBOOT_DOC}/hearth_tryboot.c`,
    },
  };
}

function addPackage(root: DirNode, found: FoundPackage): NpmPackage {
  const { name, version, licence, integrity, texts, usedBy } = found;
  const licenceFiles: string[] = [];
  for (const [base, bytes] of texts) {
    const path = `${NPM_DOC}/${packageId(found)}/${base}`;
    insert(root, path, file(bytes));
    licenceFiles.push(path);
  }
  return {
    name,
    ...(version ? { version } : {}),
    ...(licence ? { licence } : {}),
    ...(integrity ? { integrity } : {}),
    usedBy: [...usedBy].sort(),
    licenceFiles,
  };
}

function addonsOf(app: Bundle, project: string, packages: readonly FoundPackage[]): Inventory['addons'] {
  return [...app.addons].sort().map(([name, bytes]) => {
    const folder = packageFolder(app.addonSources.get(name) ?? '', project);
    const found = packages.find((each) => each.folder === folder);
    const { size, sha256 } = inMemory(bytes);
    return { name, sha256, size, ...(found ? { package: packageId(found) } : {}) };
  });
}
