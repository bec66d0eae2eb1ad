import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { appendFile, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { parseRequest } from './request.ts';
import { openStore } from './store.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'todo-'));
});
afterEach(() => rmSync(folder, { recursive: true }));
const undamaged = (lines: number) => assert.fail(`${lines} damaged lines`);
const entry = { list: 'bob', date: '20170120', title: 'Fundraiser' };

test('what was added is there, and after a restart too', async () => {
  const store = await openStore(folder, undamaged);
  await Promise.all([store.add(entry), store.add({ ...entry, title: 'Zahnarzt 🦷' })]);
  await store.close();
  const again = await openStore(folder, undamaged);
  assert.deepEqual(again.titles('bob', '20170120'), ['Fundraiser', 'Zahnarzt 🦷']);
  assert.deepEqual(again.titles('bob', '20170121'), []);
  await again.close();
});

test('a line that a power cut has torn is cut off, at every byte', async () => {
  const store = await openStore(folder, undamaged);
  await store.add(entry);
  await store.close();
  const log = join(folder, 'entries.log');
  const whole = await readFile(log);
  for (let length = 1; length < whole.length; length++) {
    await writeFile(log, whole);
    await appendFile(log, whole.subarray(0, length));
    const torn = await openStore(folder, () => {});
    assert.deepEqual(torn.titles('bob', '20170120'), ['Fundraiser']);
    await torn.add({ ...entry, title: 'next' });
    await torn.close();
    const after = await openStore(folder, undamaged);
    assert.deepEqual(after.titles('bob', '20170120'), ['Fundraiser', 'next']);
    await after.close();
  }
});

test('a damaged line in the middle costs that line, and says so', async () => {
  const store = await openStore(folder, undamaged);
  for (const title of ['one', 'two', 'three']) await store.add({ ...entry, title });
  await store.close();
  const log = join(folder, 'entries.log');
  await writeFile(log, (await readFile(log, 'utf8')).replace('two', 'tw0'));
  let damaged = 0;
  const again = await openStore(folder, (lines) => {
    damaged = lines;
  });
  assert.deepEqual(again.titles('bob', '20170120'), ['one', 'three']);
  assert.equal(damaged, 1);
  await again.close();
});

test('requests', () => {
  assert.deepEqual(parseRequest('POST', '/add_entry?list=bob&date=20170120&title=A+%26+B'), {
    kind: 'add',
    entry: { list: 'bob', date: '20170120', title: 'A & B' },
  });
  assert.deepEqual(parseRequest('GET', '/entries?list=bob&date=20170120'), {
    kind: 'list',
    list: 'bob',
    date: '20170120',
  });
});

const refused: [method: string, url: string, status: number, message: RegExp][] = [
  ['GET', '/', 404, /add_entry/],
  ['GET', '/add_entry?list=a&date=20170120&title=x', 405, /POST/],
  ['POST', '/add_entry', 400, /list is missing/],
  ['GET', '//', 400, /not a URL/],
  ['POST', '/add_entry?list=a&date=20170230&title=x', 400, /no 2017-02-30/],
  ['POST', '/add_entry?list=a&date=2017-01-20&title=x', 400, /YYYYMMDD/],
  ['POST', '/add_entry?list=a&date=20170120', 400, /title is missing/],
  ['POST', '/add_entry?list=a&date=20170120&title=%0A%0B', 400, /title/],
  ['POST', `/add_entry?list=a&date=20170120&title=${'x'.repeat(501)}`, 400, /501/],
  ['POST', '/add_entry?list=a&list=b&date=20170120&title=x', 400, /twice/],
  ['GET', '/entries?list=a&date=20170120&titel=x', 400, /'titel'/],
];
for (const [method, url, status, message] of refused) {
  test(`${method} ${url.slice(0, 60)} is refused`, () => {
    const answer = parseRequest(method, url);
    assert.ok(answer.kind === 'refuse');
    assert.equal(answer.status, status);
    assert.match(answer.message, message);
  });
}
