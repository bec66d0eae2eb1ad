/**
 * A firmware's bill of materials as CycloneDX 1.6 (ECMA-424), from the inventory that it carries. The same firmware gives
 * the same document: the serial number is the firmware's UUID, the time is that of its lock.
 * Names of packages are purls: https://github.com/package-url/purl-spec.
 */
import { FwError } from '../../errors.ts';
import type { DebianPackage, Inventory, NpmPackage } from '../inventory/schema.ts';
import { isSpdxExpression, isSpdxId } from '../inventory/spdx.ts';
import type { Inspection } from './index.ts';

type License = { license: { id: string } | { name: string } } | { expression: string };

interface Component {
  type: 'library' | 'application' | 'firmware' | 'platform' | 'operating-system' | 'file';
  'bom-ref': string;
  name: string;
  version?: string;
  purl?: string;
  cpe?: string;
  hashes?: { alg: 'SHA-256' | 'SHA-512'; content: string }[];
  licenses?: License[];
  properties?: { name: string; value: string }[];
  components?: Component[];
}

export interface CycloneDx {
  $schema: string;
  bomFormat: 'CycloneDX';
  specVersion: '1.6';
  serialNumber: string;
  version: 1;
  metadata: { timestamp: string; tools: { components: Component[] }; component: Component };
  components: Component[];
  dependencies: { ref: string; dependsOn: string[] }[];
}

/** @throws FwError `no-inventory` */
export function sbomOf(inspection: Inspection): CycloneDx {
  const { product, version, uuid, created, inventory } = inspection;
  if (!inventory) throw noInventory(inspection);
  const firmware: Component = {
    type: 'firmware',
    'bom-ref': `firmware:${uuid}`,
    name: product,
    version,
    hashes: [sha256(inspection.sha256)],
    properties: [
      { name: 'hearth:target', value: inspection.target },
      { name: 'hearth:arch', value: inspection.arch },
    ],
  };
  const hearth = hearthComponent(inventory);
  const components = [
    hearth,
    heartComponent(inventory),
    ...trybootComponent(inventory),
    nodeComponent(inventory),
    ...inventory.debian.map((pkg) => debianComponent(pkg, inventory)),
    ...inventory.npm.map(npmComponent),
    ...inventory.addons.map(addonComponent),
  ];
  return {
    $schema: 'http://cyclonedx.org/schema/bom-1.6.schema.json',
    bomFormat: 'CycloneDX',
    specVersion: '1.6',
    serialNumber: `urn:uuid:${uuid}`,
    version: 1,
    metadata: {
      timestamp: created,
      tools: { components: [{ ...hearth, 'bom-ref': 'tool:hearthfw' }] },
      component: firmware,
    },
    components,
    dependencies: [{ ref: firmware['bom-ref'], dependsOn: components.map((each) => each['bom-ref']) }],
  };
}

function noInventory({ path }: { path: string }): FwError {
  return new FwError('no-inventory', 'the firmware does not carry a list of what it is made of', {
    where: path,
    expected: 'a firmware that was built with a Hearth that writes one',
    remedy: 'Build it again with this version of hearthfw.',
  });
}

function hearthComponent({ hearth }: Inventory): Component {
  const purl = `pkg:npm/hearthfw@${encode(hearth.version)}`;
  return {
    type: 'library',
    'bom-ref': purl,
    name: 'hearthfw',
    version: hearth.version,
    purl,
    licenses: licences([hearth.licence]),
    properties: [{ name: 'hearth:licenceFile', value: hearth.licenceFile }],
  };
}

function heartComponent({ heart, hearth, debian, suite }: Inventory): Component {
  const architecture = debian.map((each) => each.architecture).find((each) => each !== 'all') ?? 'all';
  const purl = debianPurl({ name: 'musl-dev', version: heart.musl.version, architecture }, suite);
  return {
    type: 'application',
    'bom-ref': 'heart',
    name: 'heart',
    version: hearth.version,
    hashes: [sha256(heart.sha256)],
    licenses: licences([heart.licence]),
    components: [
      {
        type: 'library',
        'bom-ref': purl,
        name: 'musl',
        version: heart.musl.version,
        purl,
        licenses: licences(heart.musl.licences, heart.musl.licenceFile),
      },
    ],
  };
}

function trybootComponent({ tryboot, hearth }: Inventory): Component[] {
  if (!tryboot) return [];
  return [
    {
      type: 'library',
      'bom-ref': 'hearth_tryboot',
      name: 'hearth_tryboot',
      version: hearth.version,
      hashes: [sha256(tryboot.sha256)],
      licenses: licences([tryboot.licence]),
      properties: [
        { name: 'hearth:licenceFile', value: tryboot.licenceFile },
        { name: 'hearth:sourceFile', value: tryboot.sourceFile },
      ],
    },
  ];
}

function nodeComponent({ node }: Inventory): Component {
  const purl = `pkg:npm/${node.package}@${encode(node.version)}`;
  return {
    type: 'platform',
    'bom-ref': purl,
    name: 'node',
    version: node.version,
    purl,
    cpe: `cpe:2.3:a:nodejs:node.js:${node.version}:*:*:*:*:*:*:*`,
    hashes: integrityHashes(node.integrity),
    licenses: licences([node.licence]),
    properties: [{ name: 'hearth:licenceFile', value: node.licenceFile }],
  };
}

function debianComponent(pkg: DebianPackage, { suite, debian }: Inventory): Component {
  const purl = debianPurl(pkg, suite);
  return {
    type: pkg === debian[0] ? 'operating-system' : 'library',
    'bom-ref': purl,
    name: pkg.name,
    version: pkg.version,
    purl,
    hashes: [sha256(pkg.sha256)],
    licenses: licences(pkg.licences, pkg.licenceFile),
    properties: [
      ...(pkg.source ? [{ name: 'hearth:debianSource', value: pkg.source }] : []),
      { name: 'hearth:licenceFile', value: pkg.licenceFile },
    ],
  };
}

function npmComponent(pkg: NpmPackage): Component {
  const name = pkg.name.split('/').map(encode).join('/');
  const purl = `pkg:npm/${name}${pkg.version ? `@${encode(pkg.version)}` : ''}`;
  return {
    type: 'library',
    'bom-ref': purl,
    name: pkg.name,
    ...(pkg.version ? { version: pkg.version } : {}),
    purl,
    ...(pkg.integrity ? { hashes: integrityHashes(pkg.integrity) } : {}),
    ...(pkg.licence ? { licenses: licences([pkg.licence]) } : {}),
    properties: [
      ...pkg.usedBy.map((value) => ({ name: 'hearth:usedBy', value })),
      ...pkg.licenceFiles.map((value) => ({ name: 'hearth:licenceFile', value })),
    ],
  };
}

function addonComponent(addon: Inventory['addons'][number]): Component {
  return {
    type: 'file',
    'bom-ref': `addon:${addon.name}`,
    name: addon.name,
    hashes: [sha256(addon.sha256)],
    ...(addon.package ? { properties: [{ name: 'hearth:npmPackage', value: addon.package }] } : {}),
  };
}

function debianPurl(
  { name, version, architecture }: Pick<DebianPackage, 'name' | 'version' | 'architecture'>,
  suite: string,
): string {
  return `pkg:deb/debian/${encode(name)}@${encode(version)}?arch=${architecture}&distro=${suite}`;
}

/** Percent-encoding as purl has it: a colon, as in Debian's epochs, stays. */
function encode(text: string): string {
  return encodeURIComponent(text).replaceAll('%3A', ':');
}

/**
 * The format takes a list of single licences, or one expression. So what offers a choice makes the whole an expression;
 * what is neither is a name.
 */
function licences(parts: readonly string[] | undefined, file?: string): License[] {
  if (!parts) return [{ license: { name: `see ${file}` } }];
  const single = (part: string): boolean => !/\s/.test(part) || !isSpdxExpression(part);
  if (parts.every(single))
    return parts.map((part) => ({ license: isSpdxId(part) ? { id: part } : { name: part } }));
  return [
    {
      expression: parts
        .map((part) => (/ OR /.test(part) && parts.length > 1 ? `(${part})` : part))
        .join(' AND '),
    },
  ];
}

function sha256(content: string): { alg: 'SHA-256'; content: string } {
  return { alg: 'SHA-256', content };
}

/** npm's integrity is base64; there may be several hashes, of which SHA-512 is the one that npm makes now. */
function integrityHashes(integrity: string): { alg: 'SHA-512'; content: string }[] {
  const found = integrity.split(/\s+/).find((each) => each.startsWith('sha512-'));
  if (!found) return [];
  return [{ alg: 'SHA-512', content: Buffer.from(found.slice('sha512-'.length), 'base64').toString('hex') }];
}
