import type { Lock, LockedPackage } from '../../src/build/lock.ts';
import { megabytes } from '../../src/units.ts';

/** What changes between two locks, as a maintainer wants to read it before committing. No lines: nothing changes. */
export function summary(before: Lock | undefined, after: Lock): string[] {
  const old = new Map(before?.packages.slice(1).map((pkg) => [pkg.name, pkg]));
  const [kernel, ...packages] = after.packages;
  const was = before?.packages[0];
  const kernels = kernel && kernel.sha256 !== was?.sha256 ? [row(kernel, was)] : [];
  const moved = after.packages.filter(({ sha256, path }) =>
    before?.packages.some((pkg) => pkg.sha256 === sha256 && pkg.path !== path),
  );

  const added = packages.filter(({ name }) => !old.has(name));
  const changed = packages.filter(({ name, sha256 }) => old.has(name) && old.get(name)?.sha256 !== sha256);
  const kept = new Set(packages.map(({ name }) => name));
  const gone = [...old.values()].filter(({ name }) => !kept.has(name));
  const isSecurity = ({ archive }: LockedPackage): boolean => archive === 'debian-security';
  const change = (pkg: LockedPackage): Row => row(pkg, old.get(pkg.name));

  const groups: [string, Row[]][] = [
    ['kernel (modules and initramfs are made anew)', kernels],
    ['security updates', changed.filter(isSecurity).map(change)],
    ['updates', changed.filter((pkg) => !isSecurity(pkg)).map(change)],
    ['new', added.map(change)],
    ['in another place, with the same bytes', moved.map((pkg) => row(pkg, pkg))],
    ['gone', gone.map((pkg) => [pkg.name, pkg.version, ''])],
    ['Node', before?.node.integrity === after.node.integrity ? [] : [nodeRow(before, after)]],
  ];
  const filled = groups.filter(([, rows]) => rows.length > 0);
  if (filled.length === 0) return [];
  return [
    ...filled.flatMap(([heading, rows]) => [`  ${heading}`, ...columns(rows)]),
    `  in all: ${arrow(before && megabytes(total(before)), megabytes(total(after)))}, ${arrow(before?.date, after.date)}`,
  ];
}

/** Name, versions, sizes. */
type Row = [string, string, string];

function row(pkg: LockedPackage, was: LockedPackage | undefined): Row {
  // A kernel's name has its version in it: the new one says it all.
  const versions = arrow(was?.version, pkg.version);
  const sizes = arrow(was && megabytes(was.size), megabytes(pkg.size));
  const forged = was && was.version === pkg.version && was.sha256 !== pkg.sha256;
  const mark = pkg.archive === 'debian-security' ? '  (security archive)' : '';
  return [pkg.name, versions, `${sizes}${mark}${forged ? '  same version, other bytes!' : ''}`];
}

function nodeRow(before: Lock | undefined, { node }: Lock): Row {
  return [node.package, arrow(before?.node.version, node.version), megabytes(node.size)];
}

function arrow(was: string | undefined, is: string): string {
  return was === undefined || was === is ? is : `${was} -> ${is}`;
}

function columns(rows: Row[]): string[] {
  const width = (column: 0 | 1): number => Math.max(...rows.map((row) => row[column].length));
  return rows.map(([name, versions, size]) =>
    `    ${name.padEnd(width(0))}  ${versions.padEnd(width(1))}  ${size}`.trimEnd(),
  );
}

function total({ packages, node }: Lock): number {
  return packages.reduce((sum, { size }) => sum + size, node.size);
}
