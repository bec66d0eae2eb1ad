import type { LockedPackage } from '../../src/build/lock.ts';

/** The packages of a Packages index, those whose name is wanted. */
export function parsePackages(
  text: string,
  archive: LockedPackage['archive'],
  wanted: (name: string) => boolean,
): LockedPackage[] {
  return text.split(/\n\n+/).flatMap((stanza) => {
    const name = fieldOf(stanza, 'Package');
    return name && wanted(name) ? [parseStanza(stanza, name, archive)] : [];
  });
}

function parseStanza(stanza: string, name: string, archive: LockedPackage['archive']): LockedPackage {
  const field = (key: string): string => {
    const value = fieldOf(stanza, key);
    if (value) return value;
    throw new Error(`the index has no ${key} for ${name}`);
  };
  return {
    name,
    version: field('Version'),
    archive,
    path: field('Filename'),
    size: Number(field('Size')),
    sha256: field('SHA256'),
  };
}

function fieldOf(stanza: string, key: string): string | undefined {
  return new RegExp(`^${key}: *(.*)$`, 'm').exec(stanza)?.[1];
}
