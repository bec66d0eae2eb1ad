import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { named, start, sys } from 'hearthfw';
import { TestApp, temporaryFolder } from './app.fixture.ts';
import { Lists } from './lists.ts';
import { encodeRecord } from './record.ts';
import { Web } from './web.ts';

const entry = { list: 'bob', date: '20170120', title: 'Fundraiser' };

test('what was answered is there, and after a restart too', async () => {
  using folder = temporaryFolder();
  {
    await using app = await TestApp.start({ folder: folder.path });
    const { status, text, headers } = await app.add('bob', 'Fundraiser');
    assert.deepEqual([status, text], [200, 'OK\n']);
    assert.equal(headers.get('content-type'), 'text/plain; charset=utf-8');
    await app.add('bob', 'Zahnarzt 🦷');
    await app.add('bob', 'tomorrow', '20170121');
  }
  await using app = await TestApp.start({ folder: folder.path });
  assert.deepEqual(await app.titles('bob'), ['Fundraiser', 'Zahnarzt 🦷']);
  assert.deepEqual(await app.titles('bob', '20170121'), ['tomorrow']);
  assert.deepEqual(await app.titles('alice'), []);
});

// An update in the field: version 1.0.0 kept all entries in one file.
test('entries that the version before has stored come first, and its file stays as it is', async () => {
  using folder = temporaryFolder();
  const old = ['one', 'two', 'three'].map((title) => encodeRecord({ ...entry, title }));
  const others = encodeRecord({ ...entry, list: 'alice', title: 'hers' });
  const log = join(folder.path, 'entries.log');
  await writeFile(log, [old[0], others, old[1]].join(''));
  {
    await using app = await TestApp.start({ folder: folder.path });
    await app.add('bob', 'four');
    assert.deepEqual(await app.titles('bob'), ['one', 'two', 'four']);
    assert.deepEqual(await app.titles('alice'), ['hers']);
  }
  // The update was taken back, and the version before goes on in its file, up to a power cut.
  await writeFile(log, [old[2], others.slice(0, 20)].join(''), { flag: 'a' });
  await using app = await TestApp.start({ folder: folder.path });
  assert.deepEqual(await app.titles('bob'), ['one', 'two', 'three', 'four']);
  assert.deepEqual(await app.titles('alice'), ['hers']);
});

test('an overloaded list is answered with 503, when to come again, and others are not', async () => {
  using folder = temporaryFolder();
  await using app = await TestApp.start({ folder: folder.path });
  const bob = named('list bob');
  await app.titles('bob');
  await sys.suspend(bob);
  const calls = Array.from({ length: 201 }, () => app.add('bob', 'an entry'));
  const refused = await Promise.race(calls);
  assert.equal(refused.status, 503);
  assert.equal(refused.headers.get('retry-after'), '1');
  assert.equal((await app.add('alice', 'hers')).status, 200);
  await sys.resume(bob);
  const statuses = (await Promise.all(calls)).map(({ status }) => status);
  const stored = statuses.filter((status) => status === 200).length;
  assert.equal(statuses.filter((status) => status === 503).length, 201 - stored);
  assert.equal((await app.titles('bob')).length, stored);
});

test('a list that crashes while it is asked is answered with 500; the next call has another', async () => {
  using folder = temporaryFolder();
  await using app = await TestApp.start({ folder: folder.path });
  await app.add('bob', 'Fundraiser');
  const bob = named('list bob');
  await sys.suspend(bob);
  const asking = app.call('GET', '/entries?list=bob&date=20170120');
  while (bob.find()?.mailboxLength === 0) await new Promise((resolve) => setImmediate(resolve));
  bob.exit(new Error('crashed by the test'));
  assert.equal((await asking).status, 500);
  assert.deepEqual(await app.titles('bob'), ['Fundraiser']);
});

test('the web is started anew on its port when it crashes; the lists do not notice', async () => {
  using folder = temporaryFolder();
  const port = await freePort();
  await using app = await TestApp.start({ folder: folder.path, port });
  await app.add('bob', 'Fundraiser');
  const bob = named('list bob').find();
  const web = named('web');
  const before = web.find();
  web.exit(new Error('crashed by the test'));
  while (web.find() === before || !web.alive || web.find()?.status !== 'running')
    await new Promise((resolve) => setImmediate(resolve));
  assert.deepEqual(await app.titles('bob'), ['Fundraiser']);
  assert.equal(named('list bob').find(), bob);
});

test('what is being stored when the app is stopped is answered first, and holds up nothing after it', async () => {
  using folder = temporaryFolder();
  const app = await TestApp.start({ folder: folder.path });
  await app.titles('bob');
  const shards = [0, 1, 2, 3].map((shard) => named(`shard ${shard}`));
  for (const shard of shards) await sys.suspend(shard);
  const adding = app.add('bob', 'Fundraiser');
  const waiting = () => shards.some((shard) => (shard.find()?.mailboxLength ?? 0) > 0);
  while (!waiting()) await new Promise((resolve) => setImmediate(resolve));
  const stopping = app[Symbol.asyncDispose]();
  while (named('web').find()?.status === 'running') await new Promise((resolve) => setImmediate(resolve));
  for (const shard of shards) await sys.resume(shard);
  const { status, headers } = await adding;
  assert.deepEqual([status, headers.get('connection')], [200, 'close']);
  await stopping;
});

test('a request that does not end is ended', async () => {
  const web = await start(Web, { args: [0, new Lists({ idleMs: 1_000 }), 200] });
  const socket = connect(await web.call('port'), '127.0.0.1');
  socket.write('GET /entries HTTP/1.1\r\nhost: todo\r\n');
  const [answer] = await once(socket, 'data');
  assert.match(String(answer), /^HTTP\/1.1 408 /);
  socket.destroy();
  web.exit('shutdown');
  await web.ended();
});

test('files of another number of writers are not passed over in silence', async () => {
  using folder = temporaryFolder();
  await writeFile(join(folder.path, 'entries-0-of-16.log'), '');
  await assert.rejects(
    async () => TestApp.start({ folder: folder.path }),
    /entries-0-of-16.log was written by 16/,
  );
});

async function freePort(): Promise<number> {
  const { createServer } = await import('node:net');
  const server = createServer().listen(0);
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address ? address.port : 0;
}
