export class ApplicationError extends Error {
  readonly code: 'cycle' | 'unknown-application' | 'duplicate-application';
  constructor(code: ApplicationError['code'], message: string) {
    super(message);
    this.name = 'ApplicationError';
    this.code = code;
  }
}

interface Unit {
  name: string;
  dependsOn?: readonly string[] | undefined;
}

/** Each after what it depends on; otherwise in the order in which they are given. @throws ApplicationError */
export function inOrder<T extends Unit>(units: readonly T[]): T[] {
  const byName = new Map<string, T>();
  for (const unit of units) {
    if (byName.has(unit.name))
      throw new ApplicationError('duplicate-application', `two applications are named '${unit.name}'`);
    byName.set(unit.name, unit);
  }
  const ordered = new Set<T>();
  const visit = (unit: T, path: readonly string[]): void => {
    if (ordered.has(unit)) return;
    const begin = path.indexOf(unit.name);
    if (begin >= 0) {
      const cycle = [...path.slice(begin), unit.name].join(' -> ');
      throw new ApplicationError('cycle', `applications depend on each other: ${cycle}`);
    }
    for (const name of unit.dependsOn ?? []) {
      const other = byName.get(name);
      if (!other)
        throw new ApplicationError(
          'unknown-application',
          `'${unit.name}' depends on '${name}', which is not there`,
        );
      visit(other, [...path, unit.name]);
    }
    ordered.add(unit);
  };
  for (const unit of units) visit(unit, []);
  return [...ordered];
}
