import type { KeyIdentity } from '../archive/identity.ts';
import type { Inspection } from '../build/inspect/index.ts';
import type { Inventory } from '../build/inventory/schema.ts';
import { megabytes } from '../units.ts';
import { elided, fitted, table } from './table.ts';

export interface TextOptions {
  /** How many of the largest files. */
  files: number;
  /** Of the terminal; undefined where lines have no end: paths are then whole, for grep. */
  width?: number | undefined;
}

const DEFAULT_WIDTH = 80;
const DOC = '/usr/share/doc/';

/** What `fw inspect` says to people. */
export function inspectionText(inspection: Inspection, options: TextOptions): string {
  const sections = [
    facts(inspection),
    payloads(inspection),
    largest(inspection, options),
    inventory(inspection.inventory, options.width ?? DEFAULT_WIDTH),
  ];
  return sections.map((lines) => lines.join('\n')).join('\n\n');
}

function facts(it: Inspection): string[] {
  const { settings, dataSize } = it;
  const rows: [string, string][] = [
    ['file', `${it.path}  ${megabytes(it.size)}`],
    ['sha256', it.sha256],
    ['uuid', it.uuid],
    ['created', `${it.created} (the time of its system, not of the build)`],
    ...keyRows('signed by', [it.signer]),
    ...keyRows('trusts', it.trustedKeys),
    ['kernel', settings.kernelVersion ?? 'unknown'],
    ['node', it.inventory?.node.version ?? 'unknown'],
    ['console', settings.console ?? 'unknown'],
  ];
  if (it.versionFloor) rows.push(['floor', `refuses versions below ${it.versionFloor}`]);
  if (dataSize) rows.push(['data', `${megabytes(dataSize)} on a new disk`]);
  const warnings = [
    ...(settings.dev ? ['a development firmware: never ship it'] : []),
    ...(it.signer.exampleKey ? ['signed with the public example key: anyone can sign for this device'] : []),
  ];
  return [
    `${it.product} ${it.version} for ${it.target} (${it.arch})`,
    ...warnings.map((text) => `! ${text}`),
    ...table(rows).map((line) => `  ${line}`),
  ];
}

/** A fingerprint and a comment do not fit into one line of 80. */
function keyRows(label: string, keys: readonly KeyIdentity[]): [string, string][] {
  return keys.flatMap(({ fingerprint, comment }, i): [string, string][] => [
    [i === 0 ? label : '', fingerprint],
    ...(comment ? [['', comment] as [string, string]] : []),
  ]);
}

function payloads(it: Inspection): string[] {
  const rows = it.payloads.map(({ name, size, stored, slotSize }) => [
    `  ${name}`,
    megabytes(size),
    megabytes(stored.size),
    slotSize ? megabytes(slotSize) : '',
    slotSize ? `${Math.ceil((100 * size) / slotSize)} %` : '',
  ]);
  return table(
    [['PAYLOAD', 'SIZE', 'IN FILE', 'SLOT', 'USED'], ...rows],
    ['left', 'right', 'right', 'right', 'right'],
  );
}

function largest({ root, files }: Inspection, { files: count, width }: TextOptions): string[] {
  const shown = files.slice(0, count);
  const sizes = shown.map(({ size, stored }) => [megabytes(stored), megabytes(size)]);
  const lines = table([['STORED', 'SIZE'], ...sizes], ['right', 'right']);
  const room = (width ?? Number.POSITIVE_INFINITY) - (lines[0]?.length ?? 0) - 4;
  const paths = ['FILE', ...shown.map(({ path }) => elided(path, room))];
  return [
    `ROOT  ${root.files} files, ${megabytes(root.size)}, stored in ${megabytes(root.stored)} (${root.compressor})`,
    ...lines.map((line, i) => `  ${line}  ${paths[i]}`),
    ...(files.length > shown.length ? [`  and ${files.length - shown.length} more: --files all`] : []),
  ];
}

/** Room for the longest name of a licence's file, and the gaps. */
const LICENCE_ROOM = 28;
const SHORT_VERSION = 16;

function inventory(made: Inventory | undefined, width: number): string[] {
  if (!made) {
    return [
      'The firmware does not say what it is made of: it was built by a Hearth from before',
      'there were inventories.',
    ];
  }
  const { heart, node } = made;
  const rows: [name: string, version: string, licence: string[]][] = [
    ['hearthfw', made.hearth.version, [made.hearth.licence]],
    ['musl (in heart)', heart.musl.version, licencesOf(heart.musl)],
    ...(made.tryboot
      ? [['hearth_tryboot', made.hearth.version, [made.tryboot.licence]] as (typeof rows)[number]]
      : []),
    [`node (${node.package})`, node.version, [node.licence]],
    ...made.debian.map((each): (typeof rows)[number] => [each.name, each.version, licencesOf(each)]),
    ...made.npm.map((each): (typeof rows)[number] => [
      each.name,
      each.version ?? '',
      [each.licence ?? each.licenceFiles[0] ?? 'not said'],
    ]),
    ...made.addons.map((each): (typeof rows)[number] => [
      each.name,
      '',
      [each.package ? `of ${each.package}` : 'a native addon'],
    ]),
  ];
  // Debian's versions can be as long as half a line; --json has them whole.
  const names = Math.max(...rows.map(([name]) => name.length));
  const versions = Math.max(SHORT_VERSION, width - names - LICENCE_ROOM);
  const shown = rows.map(([name, version, licence]) => ({
    name,
    version: elided(version, versions),
    licence,
  }));
  const before = table([
    ['PACKAGE', 'VERSION', ''],
    ...shown.map(({ name, version }) => [name, version, '|']),
  ]);
  const room = width - Math.max(...before.map((line) => line.length));
  return [
    ...table([
      ['PACKAGE', 'VERSION', 'LICENCES'],
      ...shown.map(({ name, version, licence }) => [name, version, fitted(licence, room)]),
    ]),
    '',
    `Debian packages are of ${made.suite}, ${made.lockDate.slice(0, 10)}; their licences are those of their`,
    `sources. NAME/copyright, for people to read, is in ${DOC} of the root.`,
  ];
}

/** SPDX's names first, choices last: what a reader knows comes before what is cut off. */
function licencesOf(made: { licences?: string[] | undefined; licenceFile: string }): string[] {
  const { licences, licenceFile } = made;
  if (!licences) return [licenceFile.replace(DOC, '')];
  const rank = (name: string): number => (/ /.test(name) ? 2 : name.startsWith('LicenseRef-') ? 1 : 0);
  const known = [...licences].sort((a, b) => rank(a) - rank(b));
  return known.map((name) => name.replaceAll('LicenseRef-', ''));
}
