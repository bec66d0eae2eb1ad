import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import {
  type ArchiveReader,
  DEBIAN_KEYRING,
  readPackages,
  readSuite,
} from '../../scripts/lock/debian-archive.ts';
import { readIndexes } from '../../scripts/lock/refresh.ts';
import { parseRelease } from '../../scripts/lock/release.ts';
import type { LockedPackage } from '../../src/build/lock.ts';
import { loadTarget } from '../../src/build/targets.ts';
import { fw } from './fw.ts';
import { NOW, stanza } from './lock-stanza.ts';

/** `npm run lock`: which of Debian's indexes it believes. */

/** An archive of our own, with a key of our own, as a mirror serves it. */
describe("Debian's signed indexes", () => {
  let dir: string;
  let server: Server;
  let files: Map<string, Buffer>;
  let base: string;
  let keyring: string;

  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'hearth-lock-'));
    mkdirSync(join(dir, 'gpg'), { mode: 0o700 });
    gpg(
      '--quick-generate-key',
      '--passphrase',
      '',
      'Toy Archive <toy@example.org>',
      'ed25519',
      'sign',
      'never',
    );
    keyring = join(dir, 'toy.gpg');
    gpg('--output', keyring, '--export', 'toy@example.org');
    server = createServer((request, response) => {
      const body = files.get(request.url ?? '');
      response.statusCode = body ? 200 : 404;
      response.end(body ?? 'nothing here');
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => {
    execFileSync('gpgconf', ['--homedir', join(dir, 'gpg'), '--kill', 'all']);
    rmSync(dir, { recursive: true });
    server.close();
    server.closeAllConnections();
  });
  beforeEach(() => {
    files = new Map();
  });

  function gpg(...args: string[]): void {
    execFileSync('gpg', ['--homedir', join(dir, 'gpg'), '--batch', '--yes', ...args], { stdio: 'pipe' });
  }

  interface Suite {
    archive?: LockedPackage['archive'];
    suite?: string;
    codename?: string;
    date?: string;
    validUntil?: string;
    stanzas?: string[];
  }

  /** Puts a suite's signed release file and its index where a mirror has them. */
  function publish({
    archive = 'debian',
    suite = 'trixie',
    codename = suite,
    date = 'Wed, 18 Nov 2026 22:17:43 UTC',
    validUntil,
    stanzas = [],
  }: Suite): { index: string; release: string } {
    const packages = execFileSync('xz', ['-c'], { input: stanzas.join('\n') });
    const hash = createHash('sha256').update(packages).digest('hex');
    const text = [
      'Origin: Toy',
      `Codename: ${codename}`,
      `Date: ${date}`,
      ...(validUntil ? [`Valid-Until: ${validUntil}`] : []),
      'MD5Sum:',
      ` ${'0'.repeat(32)} ${packages.length} main/binary-amd64/Packages.xz`,
      'SHA256:',
      ` ${'f'.repeat(64)} 5 main/binary-arm64/Packages.xz`,
      ` ${hash} ${packages.length} main/binary-amd64/Packages.xz`,
      '',
    ].join('\n');
    const path = join(dir, 'Release');
    writeFileSync(path, text);
    gpg('--clearsign', '--output', join(dir, 'InRelease'), path);
    const release = `/${archive}/dists/${suite}/InRelease`;
    const index = `/${archive}/dists/${suite}/main/binary-amd64/by-hash/SHA256/${hash}`;
    files.set(release, readFileSync(join(dir, 'InRelease')));
    files.set(index, packages);
    return { index, release };
  }

  const reader = (more: Partial<ArchiveReader> = {}): ArchiveReader => ({
    mirror: (archive) => `${base}/${archive}`,
    keyring,
    now: NOW,
    force: false,
    ...more,
  });
  const trixie = { archive: 'debian', suite: 'trixie' } as const;
  const read = async (more?: Partial<ArchiveReader>): Promise<LockedPackage[]> =>
    readPackages(await readSuite(trixie, reader(more)), 'x86_64', () => true);

  test('that are right are read: by signature, date, and hash', async () => {
    publish({ stanzas: [stanza('libc6', '2.41-1')], validUntil: 'Fri, 27 Nov 2026 22:17:43 UTC' });
    expect(await read()).toEqual([expect.objectContaining({ name: 'libc6', version: '2.41-1', size: 1234 })]);
  });

  test('of all suites together: the newest of each, and the newest date', async () => {
    const { target } = await loadTarget('x86_64');
    publish({ stanzas: target.packages.map(({ name }) => stanza(name, '1')) });
    publish({
      suite: 'trixie-updates',
      stanzas: [stanza('libc6', '0')],
      date: 'Thu, 19 Nov 2026 01:00:00 UTC',
    });
    publish({ suite: 'trixie-security', archive: 'debian-security', stanzas: [stanza('libc6', '2')] });
    const { date, newest } = await readIndexes([target], reader());
    expect(date).toEqual(new Date('2026-11-19T01:00:00Z'));
    expect(newest.get('x86_64')?.get('libc6')).toMatchObject({ version: '2', archive: 'debian-security' });
    expect(newest.get('x86_64')?.get('libuuid1')).toMatchObject({ version: '1', archive: 'debian' });
  });

  test('A8: whose text was changed after it was signed', async () => {
    const { release } = publish({});
    const signed = String(files.get(release));
    files.set(release, Buffer.from(signed.replace('Date: Wed, 18', 'Date: Thu, 19')));
    await expect(read()).rejects.toMatchObject({ code: 'index-not-signed', where: 'trixie/InRelease' });
  });

  test('A8: what stands around the signed text is not read', async () => {
    const { release } = publish({ stanzas: [stanza('libc6', '2.41-1')] });
    const forged = `Codename: trixie\nDate: Thu, 19 Nov 2026 00:00:00 UTC\n\n${files.get(release)}`;
    files.set(release, Buffer.from(forged));
    const outcomes = await readSuite(trixie, reader()).catch((error: unknown) => error);
    // gpgv may refuse it, or leave it out; what it must not do is to hand it on.
    if (outcomes instanceof Error) expect(outcomes).toMatchObject({ code: 'index-not-signed' });
    else expect(outcomes).toMatchObject({ release: { date: new Date('2026-11-18T22:17:43Z') } });
  });

  test("A8: signed with another key than Debian's", async () => {
    publish({});
    await expect(read({ keyring: DEBIAN_KEYRING })).rejects.toMatchObject({
      code: 'index-not-signed',
      message: expect.stringContaining('No public key'),
    });
  });

  test('A8: not signed at all', async () => {
    const { release } = publish({});
    files.set(release, readFileSync(join(dir, 'Release')));
    await expect(read()).rejects.toMatchObject({ code: 'index-not-signed' });
  });

  test('A8: an index that is not the signed one', async () => {
    const { index } = publish({ stanzas: [stanza('libc6', '2.41-1')] });
    files.set(index, execFileSync('xz', ['-c'], { input: stanza('libc6', '9.99') }));
    await expect(read()).rejects.toMatchObject({ code: 'index-wrong-hash' });
  });

  test('A8, freeze: a release file that has expired; only --force takes it', async () => {
    publish({ validUntil: 'Fri, 20 Nov 2026 11:59:59 UTC', stanzas: [stanza('libc6', '1')] });
    await expect(read()).rejects.toMatchObject({
      code: 'release-expired',
      message: 'the release file was valid until 2026-11-20T11:59:59.000Z',
    });
    expect(await read({ force: true })).toHaveLength(1);
  });

  test("A8, mix-and-match: another suite's release file", async () => {
    publish({ codename: 'bookworm' });
    await expect(read()).rejects.toMatchObject({
      code: 'release-of-another-suite',
      expected: 'Codename: trixie',
    });
    await expect(read({ force: true })).rejects.toMatchObject({ code: 'release-of-another-suite' });
  });

  test('A2: a clock that is behind is noticed: it would find everything valid', async () => {
    publish({});
    await expect(read({ now: new Date('2020-01-01') })).rejects.toMatchObject({
      code: 'release-from-the-future',
    });
  });

  test('that are damaged are told so', () => {
    expect(() => parseRelease('Codename: trixie\n')).toThrow('it lacks Codename or Date');
    expect(() => parseRelease('Codename: trixie\nDate: yesterday\n')).toThrow('Date is no date: yesterday');
  });

  test('the command refuses an archive with a key of our own, and leaves the locks alone', async () => {
    publish({});
    const { lockUrl } = await loadTarget('x86_64');
    const locked = readFileSync(lockUrl, 'utf8');
    const { code, stderr } = await fw(['x86_64'], {
      door: join(import.meta.dirname, '..', '..', 'scripts', 'lock.ts'),
      env: { HEARTH_DEBIAN_MIRROR: `${base}/debian` },
    });
    expect(code).toBe(1);
    expect(stderr).toContain('the release file of trixie has no good signature');
    expect(readFileSync(lockUrl, 'utf8')).toBe(locked);
  });
});
