/** For tests of `npm run lock`: the time it is, and a package as an index has it. */

export const NOW = new Date('2026-11-20T12:00:00Z');
export const HASH = 'a'.repeat(64);

export function stanza(name: string, version: string, more = ''): string {
  return (
    `Package: ${name}\nSource: x (1)\nVersion: ${version}\nArchitecture: amd64\nDescription: toy\n Filename: no field\n` +
    `${more}Filename: pool/main/${name}_${version}.deb\nSize: 1234\nMD5sum: 0\nSHA256: ${HASH}\n`
  );
}
