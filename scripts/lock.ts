// Refreshes targets/*/lock.json from Debian's signed indexes, and makes what depends on them. For maintainers; needs
// gpgv and dpkg, which Debian has.
import { writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { parseArgs } from 'node:util';
import { cacheDir } from '../bin/pinned-node.js';
import { Cache } from '../src/build/cache.ts';
import type { Lock } from '../src/build/lock.ts';
import { mirrors } from '../src/build/sources/mirrors.ts';
import { readHeart } from '../src/build/system/heart.ts';
import { picksKey } from '../src/build/system/inputs.ts';
import type { Target } from '../src/build/target.ts';
import { loadTarget, targetNames } from '../src/build/targets.ts';
import { FwError } from '../src/errors.ts';
import { writeArchive } from './lock/archive-step.ts';
import { backwards, unfit } from './lock/choose.ts';
import { type ArchiveReader, DEBIAN_KEYRING } from './lock/debian-archive.ts';
import { notPublished } from './lock/published.ts';
import { type Indexes, lockFrom, readIndexes } from './lock/refresh.ts';
import { summary } from './lock/summary.ts';
import { refreshTryboot } from './lock/tryboot-step.ts';
import { debianOrder } from './lock/version-order.ts';

const USAGE = `usage: npm run lock -- [OPTION] [TARGET…]

  (none)          take the newest packages of Debian, and write locks and system archives
  --archive-only  write the system archives of the locks as they are
  --modules-only  compile what is compiled for the kernels of the locks as they are
  --check         write nothing; exit 1 if the locks do not fit the targets, or are not what Debian has now
  --published     after \`npm publish build/systems/NAME.tgz\`: let builds fetch that archive from their registry
  --force         go back to older packages, or use an index that has expired: for a dated snapshot
`;

const ARCHIVES = join(import.meta.dirname, '..', 'build', 'systems');

interface Work {
  target: Target;
  lockUrl: URL;
  before: Lock | undefined;
}
const cache = new Cache(cacheDir());

/** What a lock is made of, in order: each step gets the lock that the one before it made. */
async function refresh(
  { target, before, lockUrl }: Work,
  indexes: Indexes,
  reader: ArchiveReader,
): Promise<void> {
  // 1. The packages, by Debian's signed indexes.
  const lock = await lockFrom(target, before, indexes, cache);
  refuseBackwards(target, before, lock, reader.force);
  const lines = summary(before, lock);
  say(...(lines.length > 0 ? lines : ['  unchanged']));
  // 2. What is compiled against the kernel's headers, and committed: the Pi's one-shot boot.
  await modules(target, lock, reader);
  // 3. Our own C binaries are those that were recorded when they were compiled (scripts/build-heart).
  readHeart(target.arch);
  // 4. The system archive: it holds what the lock names.
  await archive({ target, before, lockUrl }, lock);
}

async function archive({ target, before, lockUrl }: Work, lock: Lock): Promise<void> {
  const { archive, path } = await writeArchive(
    { target, lock, lockUrl },
    before?.archive,
    cache,
    ARCHIVES,
    (text) => say(`  ${text}`),
  );
  writeLock(lockUrl, { ...lock, archive });
  const size = `${(archive.size / 1e6).toFixed(1)} MB`;
  if (archive.published) say(`  ${archive.package} ${archive.version}  ${size}, published`);
  else say(`  ${relative(process.cwd(), path)}  ${size}, not published`);
}

async function modules(target: Target, lock: Lock, reader: ArchiveReader): Promise<void> {
  if (target.boot.family === 'pi') await refreshTryboot(lock, reader, cache, (text) => say(`  ${text}`));
}

async function check({ target, before }: Work, indexes: Indexes): Promise<boolean> {
  if (!before) {
    say('  there is no lock');
    return false;
  }
  const wrong = unfit(target, before);
  if (before.archive && before.archive.picks !== picksKey(target, before))
    wrong.push('the system archive was made for another list of files: npm run lock -- --archive-only');
  if (wrong.length > 0) {
    say(...wrong.map((line) => `  ${line}`));
    return false;
  }
  const lines = summary(before, await lockFrom(target, before, indexes, cache));
  say(...(lines.length > 0 ? lines : ['  unchanged']));
  return lines.length === 0;
}

async function publish({ target, before, lockUrl }: Work): Promise<void> {
  if (!before?.archive) throw new Error(`the lock of ${target.name} names no archive`);
  const reason = await notPublished(before.archive);
  if (reason) throw new Error(reason);
  writeLock(lockUrl, { ...before, archive: { ...before.archive, published: true } });
  say(`  ${before.archive.package} ${before.archive.version} is published`);
}

function lockOf({ target, before }: Work): Lock {
  if (before) return before;
  throw new Error(`${target.name} has no lock`);
}

function refuseBackwards(target: Target, before: Lock | undefined, lock: Lock, force: boolean): void {
  const older = before ? backwards(before, lock, debianOrder) : [];
  if (older.length === 0 || force) return;
  throw new FwError('lock-goes-backwards', `${target.name} would get older:\n  ${older.join('\n  ')}`, {
    where: `targets/${target.name}/lock.json`,
    expected: 'nothing older than what is locked',
    remedy: 'Use another mirror: this one is out of date. If an older version is really wanted, use --force.',
  });
}

function writeLock(url: URL, lock: Lock): void {
  writeFileSync(url, `${JSON.stringify(lock, null, 2)}\n`);
}

function say(...lines: string[]): void {
  console.log(lines.join('\n'));
}

async function main(): Promise<void> {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
      'archive-only': { type: 'boolean', default: false },
      'modules-only': { type: 'boolean', default: false },
      check: { type: 'boolean', default: false },
      published: { type: 'boolean', default: false },
      force: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) return void process.stdout.write(USAGE);
  const works: Work[] = [];
  for (const name of positionals.length > 0 ? positionals : targetNames()) {
    const { target, lockUrl, lock } = await loadTarget(name, { lockMayBeMissing: true });
    works.push({ target, lockUrl, before: lock });
  }
  const reader: ArchiveReader = {
    mirror: (archive) => mirrors(archive)[0] ?? '',
    keyring: DEBIAN_KEYRING,
    now: new Date(),
    force: values.force,
  };
  const needIndexes = !values.published && !values['archive-only'] && !values['modules-only'];
  const indexes =
    needIndexes &&
    (await readIndexes(
      works.map(({ target }) => target),
      reader,
    ));
  for (const work of works) {
    say(`${work.target.name}:`);
    if (values.published) await publish(work);
    else if (values['modules-only']) await modules(work.target, lockOf(work), reader);
    else if (!indexes) await archive(work, lockOf(work));
    else if (!values.check) await refresh(work, indexes, reader);
    else if (!(await check(work, indexes))) process.exitCode = 1;
  }
}

try {
  await main();
} catch (error) {
  const { message, remedy } = error as Partial<FwError> & Error;
  process.stderr.write(`${message}\n${remedy ? `${remedy}\n` : ''}`);
  process.exitCode = 1;
}
