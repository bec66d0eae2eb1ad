import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { appendFile, readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryFolder } from './app.fixture.ts';
import { Log } from './log.ts';

const undamaged = (lines: number) => assert.fail(`${lines} damaged lines`);
const entry = { list: 'bob', date: '20170120', title: 'Fundraiser' };
const titles = async (log: Log, list = 'bob') => (await log.read(list)).map(({ title }) => title);

test('what was appended is there, and after a restart too', async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, 'entries');
  const log = await Log.open(path, undamaged);
  await log.append([entry, { ...entry, list: 'ann' }, { ...entry, title: 'Zahnarzt 🦷' }]);
  await log.append([{ ...entry, title: 'next' }]);
  const expected = ['Fundraiser', 'Zahnarzt 🦷', 'next'];
  assert.deepEqual(await titles(log), expected);
  await log.close();
  const again = await Log.open(path, undamaged);
  assert.deepEqual(await titles(again), expected);
  assert.deepEqual(await again.read('ann'), [{ ...entry, list: 'ann' }]);
  assert.deepEqual(await again.read('eve'), []);
  await again.close();
});

test('a line that a power cut has torn is cut off, at every byte', async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, 'entries');
  const log = await Log.open(path, undamaged);
  await log.append([entry]);
  await log.close();
  const whole = await readFile(path);
  for (let length = 1; length < whole.length; length++) {
    await writeFile(path, whole);
    await appendFile(path, whole.subarray(0, length));
    let damaged = 0;
    const torn = await Log.open(path, (lines) => {
      damaged = lines;
    });
    assert.equal(damaged, 1);
    assert.deepEqual(await titles(torn), ['Fundraiser']);
    await torn.append([{ ...entry, title: 'next' }]);
    await torn.close();
    const after = await Log.open(path, undamaged);
    assert.deepEqual(await titles(after), ['Fundraiser', 'next']);
    await after.close();
  }
});

test('a damaged line in the middle costs that line, and says so', async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, 'entries');
  const log = await Log.open(path, undamaged);
  await log.append(['one', 'two', 'three'].map((title) => ({ ...entry, title })));
  await log.close();
  await writeFile(path, (await readFile(path, 'utf8')).replace('two', 'tw0'));
  let damaged = 0;
  const again = await Log.open(path, (lines) => {
    damaged = lines;
  });
  assert.deepEqual(await titles(again), ['one', 'three']);
  assert.equal(damaged, 1);
  await again.append([{ ...entry, title: 'four' }]);
  assert.deepEqual(await titles(again), ['one', 'three', 'four']);
  await again.close();
});

test('a long end of zeros, as a power cut leaves it on some cards, is cut off', async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, 'entries');
  const log = await Log.open(path, undamaged);
  await log.append([entry]);
  await log.close();
  const { length } = await readFile(path);
  await truncate(path, length + 300_000);
  const again = await Log.open(path, () => {});
  await again.append([{ ...entry, title: 'next' }]);
  assert.deepEqual(await titles(again), ['Fundraiser', 'next']);
  await again.close();
  assert.equal((await readFile(path)).length < 2 * length, true);
});

test('lines are found wherever they lie in a file of many', async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, 'entries');
  const log = await Log.open(path, undamaged);
  const entries = Array.from({ length: 3_000 }, (_, n) => ({
    ...entry,
    list: `list ${n % 7}`,
    title: `${n} ${'ä'.repeat(n % 500)}`,
  }));
  await log.append(entries);
  await log.close();
  const again = await Log.open(path, undamaged);
  for (let list = 0; list < 7; list++) {
    const expected = entries.filter((one) => one.list === `list ${list}`);
    assert.deepEqual(await again.read(`list ${list}`), expected);
  }
  await again.close();
});

test('a log is opened again only when it is closed', async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, 'entries');
  const log = await Log.open(path, undamaged);
  let opened = false;
  const opening = Log.open(path, undamaged).then((second) => {
    opened = true;
    return second;
  });
  // Time enough: another one is opened and closed meanwhile, again and again.
  for (let n = 0; n < 10; n++) await (await Log.open(join(folder.path, 'other'), undamaged)).close();
  assert.equal(opened, false);
  await log.append([entry]);
  await log.close();
  const second = await opening;
  assert.deepEqual(await titles(second), ['Fundraiser']);
  await second.close();
});

test('a log of somebody else is read, torn end and all, and not changed', async () => {
  using folder = temporaryFolder();
  const path = join(folder.path, 'entries');
  const log = await Log.open(path, undamaged);
  await log.append([entry]);
  await log.close();
  await appendFile(path, '0123');
  let damaged = 0;
  const old = await Log.openFinished(path, (lines) => {
    damaged = lines;
  });
  assert.ok(old);
  assert.deepEqual(await titles(old), ['Fundraiser']);
  assert.equal(damaged, 1);
  await old.close();
  assert.match(await readFile(path, 'utf8'), /\n0123$/);
  const nothing = join(folder.path, 'nothing');
  assert.equal(await Log.openFinished(nothing, undamaged), undefined);
  assert.equal(existsSync(nothing), false);
});
