import { relative } from 'node:path';
import { type Command, InvalidArgumentError } from 'commander';
import { cacheDir } from '../../bin/pinned-node.js';
import type { Removed } from '../build/cache/prune.ts';
import type { ProjectLeftover } from '../build/leftovers.ts';
import { megabytes } from '../units.ts';
import { table } from './table.ts';
import { UsageError } from './usage.ts';
import { type CommonOptions, printResult, verb } from './verb.ts';

interface Options extends CommonOptions {
  app: string;
  cache?: boolean;
  all?: boolean;
  olderThan?: number;
  dryRun?: boolean;
}

interface Result {
  dryRun: boolean;
  /** What was removed, or would be, of the project; and of the cache, in sum for each kind. */
  project: ProjectLeftover[];
  cache: { kind: string; count: number; bytes: number }[];
  /** Of all that. */
  bytes: number;
  failed: Removed['failed'];
}

export function cleanCommand(): Command {
  return verb('clean', 'Remove what builds and runs have left behind', [
    'fw clean                             emulated disks and built firmware of this project',
    'fw clean --cache --older-than 30d    what the shared cache holds and nobody used for a month',
    'fw clean --all --dry-run             what would go of both, and how much that is',
  ])
    .option('--app <dir>', 'the project', '.')
    .option('--cache', 'the cache that all projects share, instead of the project')
    .option('--all', 'both')
    .option('--older-than <time>', 'of the cache only what was not used for so long, such as 30d or 12h', age)
    .option('-n, --dry-run', 'say what would be removed, and remove nothing')
    .addHelpText(
      'after',
      `
/data of the emulated devices goes with their disks. Firmware that was built
elsewhere (--out) stays. What the cache held is fetched and made again when a
build needs it.`,
    )
    .action(async (options: Options) => {
      if (options.olderThan !== undefined && !options.cache && !options.all)
        throw new UsageError('--older-than is about the cache', 'Add --cache, or --all for the project too.');
      const result: Result = {
        dryRun: options.dryRun ?? false,
        project: [],
        cache: [],
        bytes: 0,
        failed: [],
      };
      if (!options.cache || options.all) await cleanProject(options, result);
      if (options.cache || options.all) await cleanCache(options, result);
      printResult(result, options, () => describe(result));
      if (result.failed.length > 0) process.exitCode = 1;
    });
}

async function cleanProject({ app, dryRun }: Options, result: Result): Promise<void> {
  const [{ loadProject }, { projectLeftovers, removeLeftovers }] = await Promise.all([
    import('../project/load.ts'),
    import('../build/leftovers.ts'),
  ]);
  const { dir, config } = await loadProject(app);
  result.project = await projectLeftovers(dir, config.name);
  if (!dryRun) await removeLeftovers(dir, result.project);
  for (const { bytes } of result.project) result.bytes += bytes;
}

async function cleanCache({ olderThan = 0, dryRun }: Options, result: Result): Promise<void> {
  const [{ cleanable, removeEmptyFolders }, { remove }] = await Promise.all([
    import('../build/cache/clean.ts'),
    import('../build/cache/prune.ts'),
  ]);
  const dir = cacheDir();
  const found = await cleanable(dir, olderThan, Date.now());
  const removed = dryRun ? { ...found, failed: [] } : await remove(found);
  if (!dryRun) await removeEmptyFolders(dir);
  const sums = new Map<string, { count: number; bytes: number }>();
  const add = (kind: string, bytes: number): void => {
    const { count, bytes: sum } = sums.get(kind) ?? { count: 0, bytes: 0 };
    sums.set(kind, { count: count + 1, bytes: sum + bytes });
    result.bytes += bytes;
  };
  for (const { kind, bytes } of removed.entries) add(kind, bytes);
  for (const { bytes } of removed.leftovers) add('leftovers', bytes);
  result.cache = [...sums].map(([kind, sum]) => ({ kind, ...sum }));
  result.failed = removed.failed;
}

function describe({ project, cache, bytes, dryRun, failed }: Result): string {
  const rows = [
    ...project.map(({ what, path, bytes: size }) => [what, relative(process.cwd(), path), megabytes(size)]),
    ...cache.map(({ kind, count, bytes: size }) => [
      'cache',
      `${kind}, ${count} ${count === 1 ? 'entry' : 'entries'}`,
      megabytes(size),
    ]),
  ];
  const lines = table(rows, ['left', 'left', 'right']);
  for (const { path, reason } of failed) lines.push(`not removed: ${path}: ${reason}`);
  const verdict = dryRun ? 'would free' : 'freed';
  return [...lines, rows.length > 0 ? `${verdict} ${megabytes(bytes)}` : 'nothing to remove'].join('\n');
}

/** '30d', '12h' -> milliseconds. */
function age(text: string): number {
  const [, count, unit] = /^(\d{1,5})([dh])$/.exec(text) ?? [];
  if (count === undefined) throw new InvalidArgumentError('It must be days or hours, such as 30d or 12h.');
  return Number(count) * (unit === 'd' ? 24 : 1) * 3_600_000;
}
