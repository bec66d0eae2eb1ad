import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { named, startSupervisor, supervisor, sys, telemetry } from 'hearthfw';
import { failure } from './answer.ts';
import { temporaryFolder } from './app.fixture.ts';
import { database, shardOf } from './database.ts';
import { ListBusyError } from './errors.ts';
import type { List } from './list.ts';
import { Lists } from './lists.ts';

async function started(folder: string, idleMs = 30_000) {
  const lists = new Lists({ idleMs });
  const tree = await startSupervisor(
    supervisor({ strategy: 'rest_for_one', children: [database(folder), lists.supervisor] }),
  );
  return {
    lists,
    async [Symbol.asyncDispose]() {
      await tree.stop();
    },
  };
}
const DAY = '20170120';
const add = (lists: Lists, list: string, title: string) =>
  lists.ask(list, (server) => server.call('add', DAY, title));
const titles = (lists: Lists, list: string) => lists.ask(list, (server) => server.call('titles', DAY));
const serverOf = (list: string) => named<List>(`list ${list}`);

test('many who ask first at once get the same server', async () => {
  using folder = temporaryFolder();
  await using app = await started(folder.path);
  const titlesAdded = Array.from({ length: 50 }, (_, n) => `entry ${n}`);
  await Promise.all(titlesAdded.map((title) => add(app.lists, 'bob', title)));
  assert.equal(app.lists.count, 1);
  assert.deepEqual([...(await titles(app.lists, 'bob'))].sort(), titlesAdded.sort());
});

test('the crash of one list touches no other, and loses nothing that was answered', async () => {
  using folder = temporaryFolder();
  await using app = await started(folder.path);
  await add(app.lists, 'bob', 'Fundraiser');
  await add(app.lists, 'alice', 'hers');
  const bob = serverOf('bob').find();
  const alice = serverOf('alice').find();

  serverOf('bob').exit(new Error('crashed by the test'));
  assert.equal(serverOf('bob').alive, false);

  assert.deepEqual(await titles(app.lists, 'bob'), ['Fundraiser']);
  assert.notEqual(serverOf('bob').find(), bob);
  assert.equal(serverOf('alice').find(), alice);
  assert.ok(alice?.alive);
});

test('a list that crashes again and again costs the others nothing', async () => {
  using folder = temporaryFolder();
  await using app = await started(folder.path);
  await add(app.lists, 'alice', 'hers');
  const alice = serverOf('alice').find();
  for (let crash = 0; crash < 50; crash++) {
    await add(app.lists, 'bob', `entry ${crash}`);
    serverOf('bob').exit('kill');
  }
  assert.equal((await titles(app.lists, 'bob')).length, 50);
  assert.equal(serverOf('alice').find(), alice);
});

test('the crash of a writer: its lists read anew what is on the disk, other lists stay', async () => {
  using folder = temporaryFolder();
  await using app = await started(folder.path);
  const names = Array.from({ length: 40 }, (_, n) => `list ${n}`);
  for (const name of names) await add(app.lists, name, 'an entry');
  const before = new Map(names.map((name) => [name, serverOf(name).find()]));
  const shard = named('shard 0');
  const old = shard.find();
  shard.exit(new Error('the card is out of order'));
  while (shard.find() === old || shard.find()?.status !== 'running') await sleep(5);
  for (const name of names) assert.deepEqual(await titles(app.lists, name), ['an entry']);
  const kept = names.filter((name) => serverOf(name).find() === before.get(name));
  assert.ok(kept.length > 0 && kept.length < names.length, `${kept.length} lists stayed`);
});

test('10,000 lists stop when nobody asks for them, and come back when somebody does', async () => {
  using folder = temporaryFolder();
  await using app = await started(folder.path, 500);
  const names = new Set<string>();
  const detach = telemetry.attach('starts', 'otp.process.start', (_, { process, label }) => {
    if (label === 'List') names.add(process.replace(/#\d+$/, ''));
  });
  let next = 0;
  const ask = async () => {
    while (next < 10_000) await titles(app.lists, `${next++}`);
  };
  await Promise.all(Array.from({ length: 100 }, ask));
  detach();
  assert.equal(names.size, 10_000);
  await add(app.lists, '7', 'an entry');
  while (app.lists.count > 0) await sleep(50);
  assert.equal(sys.processes().filter(({ label }) => label === 'List').length, 0);
  assert.deepEqual(await titles(app.lists, '7'), ['an entry']);
});

test('who finds a list that stops before it is asked gets the next one', async () => {
  using folder = temporaryFolder();
  await using app = await started(folder.path);
  await add(app.lists, 'bob', 'Fundraiser');
  let tries = 0;
  const answer = await app.lists.ask('bob', (server) => {
    // What its time-out does, in the worst moment.
    if (++tries === 1) server.process().exit('normal');
    return server.call('titles', DAY);
  });
  assert.deepEqual(answer, ['Fundraiser']);
  assert.equal(tries, 2);
});

test('nobody is refused by lists that stop all the time', async () => {
  using folder = temporaryFolder();
  await using app = await started(folder.path, 1);
  const seen = new Set<unknown>();
  while (seen.size < 20) {
    await titles(app.lists, 'bob');
    seen.add(serverOf('bob').find());
    await sleep(2);
  }
});

test('a list whose writer does not get on takes so many entries, and refuses more', async () => {
  using folder = temporaryFolder();
  await using app = await started(folder.path);
  await titles(app.lists, 'bob');
  const shards = [0, 1, 2, 3].map((shard) => named(`shard ${shard}`));
  for (const shard of shards) await sys.suspend(shard);
  const adds = Array.from({ length: 100 }, (_, n) => add(app.lists, 'bob', `entry ${n}`));
  await assert.rejects(add(app.lists, 'bob', 'one more'), ListBusyError);
  // What is not on the disk is not in the list, and reading does not wait for the disk.
  assert.deepEqual(await titles(app.lists, 'bob'), []);
  for (const shard of shards) await sys.resume(shard);
  await Promise.all(adds);
  assert.deepEqual(
    await titles(app.lists, 'bob'),
    adds.map((_, n) => `entry ${n}`),
  );
});

test('a list does not stop while an entry of it is on its way', async () => {
  using folder = temporaryFolder();
  await using app = await started(folder.path, 20);
  await titles(app.lists, 'bob');
  const shards = [0, 1, 2, 3].map((shard) => named(`shard ${shard}`));
  for (const shard of shards) await sys.suspend(shard);
  const adding = add(app.lists, 'bob', 'slow');
  await sleep(100);
  assert.ok(serverOf('bob').alive);
  for (const shard of shards) await sys.resume(shard);
  await adding;
  assert.deepEqual(await titles(app.lists, 'bob'), ['slow']);
  while (serverOf('bob').alive) await sleep(5);
});

test('so many lists at once that a writer refuses to read them: refused, not crashed', async () => {
  using folder = temporaryFolder();
  await using app = await started(folder.path);
  let crashes = 0;
  const detach = telemetry.attach('crashes', 'otp.process.crash', () => void crashes++);
  const names = Array.from({ length: 12_000 }, (_, n) => `list ${n}`);
  const together = names.filter((name) => String(shardOf(name)) === 'shard 0');
  const answers = await Promise.allSettled(together.map((name) => titles(app.lists, name)));
  detach();
  const refused = answers.flatMap((answer) => (answer.status === 'rejected' ? [answer.reason] : []));
  assert.ok(refused.length > 0);
  for (const error of refused) assert.equal(failure(error).status, 503);
  assert.equal(crashes, 0);
});
