import { promisify } from 'node:util';
import { constants, gzip } from 'node:zlib';
import { packTar } from 'modern-tar';
import type { Lock } from '../../src/build/lock.ts';
import { ARCHIVE_FILE } from '../../src/build/sources/system-archive.ts';
import type { SystemInputs } from '../../src/build/system/inputs.ts';
import type { Target } from '../../src/build/target.ts';

/** As in every npm package. */
const MTIME = new Date('1985-10-26T08:15:00Z');

export interface Identity {
  name: string;
  version: string;
}

export function packageName(target: Target): string {
  return `hearthfw-system-${target.name}`;
}

/**
 * The lock's date and time of day, and a number for archives of the same lock with other files: registries take a
 * version once, and people see how old a system is.
 */
export function packageVersion(lock: Lock, revision: number): string {
  const [, day = '', time = ''] = /^(\S+)T(\S+)\.\d+Z$/.exec(lock.date) ?? [];
  return [day.replaceAll('-', ''), Number(time.replaceAll(':', '')), revision].join('.');
}

/**
 * The npm package that carries a system archive, as the tarball that a registry keeps: made here, byte by byte the same
 * on every run, so that the lock can name it before it is published.
 */
export async function systemPackage(
  { name, version }: Identity,
  { target, lock }: { target: Target; lock: Lock },
  inputs: SystemInputs,
  archive: Uint8Array,
): Promise<Buffer> {
  const manifest = {
    name,
    version,
    description: `The system of hearthfw's target ${target.name} (${target.description}): Debian packages and Node.js`,
    license: 'SEE LICENSE IN LICENSES.txt',
    files: [ARCHIVE_FILE, 'LICENSES.txt'],
  };
  const files: [string, Uint8Array][] = [
    ['package.json', Buffer.from(`${JSON.stringify(manifest, null, 2)}\n`)],
    ['README.md', Buffer.from(readme(name, target, lock))],
    ['LICENSES.txt', Buffer.from(licences(inputs))],
    [ARCHIVE_FILE, archive],
  ];
  const tar = await packTar(
    files.map(([path, bytes]) => ({
      header: {
        name: `package/${path}`,
        size: bytes.length,
        mode: 0o644,
        uid: 0,
        gid: 0,
        uname: '',
        gname: '',
        mtime: MTIME,
      },
      body: bytes,
    })),
  );
  return promisify(gzip)(tar, { level: constants.Z_BEST_COMPRESSION });
}

function readme(name: string, target: Target, lock: Lock): string {
  const rows = lock.packages.map(
    ({ name: pkg, version, path }) => `| ${pkg} | ${version} | ${sourcePackage(path)} |`,
  );
  return `# ${name}

What \`fw build --target ${target.name}\` makes a system from (${target.description}): the files that hearthfw takes
from the Debian packages below and from Node.js ${lock.node.version}. They are unchanged, but the kernel's modules are
uncompressed, and Node's debug information is cut off. \`fw build\` fetches this package by itself, and uses it only if
it has the hash that is in hearthfw's lock. For machines without a network: \`npm pack\` it, put the .tgz into a folder,
and name the folder in HEARTH_SYSTEMS.

\`${ARCHIVE_FILE}\` is a tar with a folder for each package: \`tar --zstd -tf ${ARCHIVE_FILE}\`. The licences are in
LICENSES.txt. The source of each program is Debian's source package of the same version, which Debian keeps.

| package | version | source package |
| --- | --- | --- |
${rows.join('\n')}
| ${lock.node.package} (npm) | ${lock.node.version} | Node.js v${lock.node.version} |
`;
}

/** Of pool/COMPONENT/PREFIX/SOURCE/FILE. What linux-signed-ARCH adds to linux is a signature. */
function sourcePackage(path: string): string {
  const source = path.split('/').at(-2) ?? '';
  return source.replace(/^linux-signed-\w+$/, 'linux');
}

function licences(inputs: SystemInputs): string {
  const texts = [...inputs].flatMap(([name, files]) =>
    files.flatMap((file) =>
      file.type === 'file' && /^usr\/share\/doc\/[^/]+\/copyright$/.test(file.path)
        ? [`${'='.repeat(78)}\n${name}: ${file.path}\n${'='.repeat(78)}\n\n${Buffer.from(file.bytes)}`]
        : [],
    ),
  );
  return texts.join('\n\n');
}
