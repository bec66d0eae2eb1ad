import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { type ChildSpec, child, named, type ServerRef, supervisor } from 'hearthfw';
import { OldLog } from './old-log.ts';
import type { Entry } from './record.ts';
import { Shard } from './shard.ts';

/** How many files there are, each with its writer. */
const SHARDS = 4;
/** How many messages may wait for a writer, which waits for the disk: more is refused at once. */
const MOST_WAITING = 2_000;

/**
 * The entries on the disk, in one file for each writer. All entries of a list go to the same writer, so that they stay in the
 * order of their coming; which one, says a hash of its name. (`pool` of the library lends any worker to anybody, one at a
 * time: here it must be that one, and a hundred callers share its fsync.)
 */
export function database(folder: string): ChildSpec {
  checkShards(readdirSync(folder));
  return supervisor({
    name: 'database',
    children: [
      child(OldLog, { name: 'old log', args: [join(folder, 'entries.log')] }),
      ...Array.from({ length: SHARDS }, (_, shard) =>
        child(Shard, {
          name: nameOf(shard),
          args: [join(folder, `entries-${shard}-of-${SHARDS}.log`)],
          mailboxLimit: MOST_WAITING,
        }),
      ),
    ],
  });
}

/** The one writer of a list. */
export function shardOf(list: string): ServerRef<Shard> {
  return named<Shard>(nameOf(crc32(list) % SHARDS));
}

/** All entries of a list, in the order of their coming. */
export async function readList(list: string): Promise<Entry[]> {
  const old = await named<OldLog>('old log').call('read', list);
  return old.concat(await shardOf(list).call('read', list));
}

function nameOf(shard: number): string {
  return `shard ${shard}`;
}

/** With another number of shards, lists would be looked for where they are not. */
export function checkShards(files: readonly string[]): void {
  for (const file of files) {
    const shards = /^entries-\d+-of-(\d+)\.log$/.exec(file)?.[1];
    if (shards !== undefined && Number(shards) !== SHARDS)
      throw new Error(`${file} was written by ${shards} writers; this version has ${SHARDS}`);
  }
}
