import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseRequest } from './request.ts';

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
