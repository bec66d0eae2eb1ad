import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { CallError, OverloadError, start, sys, telemetry } from 'hearthfw';
import { temporaryFolder } from './app.fixture.ts';
import { Shard } from './shard.ts';

const entry = (title: string) => ({ list: 'bob', date: '20170120', title });

test('entries that come together share an fsync, and stay in their order', async () => {
  using folder = temporaryFolder();
  const shard = await start(Shard, { args: [join(folder.path, 'log')] });
  const commits: number[] = [];
  using _ = attached('todo.commit', ({ entries }) => commits.push(Number(entries)));
  const titles = Array.from({ length: 100 }, (_, n) => `entry ${n}`);
  const order: string[] = [];
  await Promise.all(titles.map((title) => shard.call('append', entry(title)).then(() => order.push(title))));
  assert.deepEqual(commits, [100]);
  assert.deepEqual(order, titles);
  assert.deepEqual(await shard.call('read', 'bob'), titles.map(entry));
  shard.exit('shutdown');
  await shard.ended();
});

test('who reads sees what was asked to be appended before', async () => {
  using folder = temporaryFolder();
  const shard = await start(Shard, { args: [join(folder.path, 'log')] });
  const appended = shard.call('append', entry('first'));
  assert.deepEqual(await shard.call('read', 'bob'), [entry('first')]);
  await appended;
  shard.exit('shutdown');
  await shard.ended();
});

test('what a killed shard was writing is whole or not there, and what it answered is there', async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, 'log');
  const answered: string[] = [];
  for (let round = 0; round < 20; round++) {
    const shard = await start(Shard, { args: [path] });
    await shard.call('append', entry(`before ${round}`));
    answered.push(`before ${round}`);
    const lost = shard.call('append', entry(`during ${round}`));
    // Into the middle of the commit: the message that begins it is handled in a turn of its own.
    await new Promise((resolve) => setImmediate(resolve));
    shard.exit('kill');
    await lost.then(
      () => answered.push(`during ${round}`),
      (error) => assert.ok(error instanceof CallError),
    );
  }
  const shard = await start(Shard, { args: [path] });
  const kept = (await shard.call('read', 'bob')).map(({ title }) => title);
  assert.deepEqual(
    kept.filter((title) => answered.includes(title)),
    answered,
  );
  shard.exit('shutdown');
  await shard.ended();
});

test('a shard that has too much to do says so at once', async () => {
  using folder = temporaryFolder();
  const shard = await start(Shard, { args: [join(folder.path, 'log')], mailboxLimit: 10 });
  await sys.suspend(shard);
  const appends = Array.from({ length: 11 }, (_, n) => shard.call('append', entry(`entry ${n}`)));
  await assert.rejects(appends.pop() ?? Promise.resolve(), OverloadError);
  await sys.resume(shard);
  await Promise.all(appends);
  assert.equal((await shard.call('read', 'bob')).length, 10);
  shard.exit('shutdown');
  await shard.ended();
});

function attached(event: string, handler: (measurements: Record<string, number>) => void): Disposable {
  const detach = telemetry.attach('test', event, handler);
  return { [Symbol.dispose]: () => void detach() };
}
