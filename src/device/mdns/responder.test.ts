import fc from 'fast-check';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import {
  type DnsMessage,
  type DnsRecord,
  decodeMessage,
  encodeMessage,
  type RecordData,
  TYPE,
} from '../../formats/dns.ts';
import { claimsOf, type Presence } from './claims.ts';
import { Responder } from './responder.ts';

const PRESENCE: Presence = {
  ...{ hostname: 'hello', serial: '10000000ABCD1234', product: 'hello', version: '1.0.0' },
  ...{ uuid: 'u-1', target: 'rpi4', ssh: true },
};
const ADDRESSES = ['10.0.0.5', 'fe80::5'];

let sent: DnsMessage[];
let names: string[];
beforeEach(() => {
  vi.useFakeTimers();
  [sent, names] = [[], []];
});
afterEach(() => vi.useRealTimers());

function read(bytes: Uint8Array): DnsMessage {
  const message = decodeMessage(bytes);
  if (!message) throw new Error('not for us');
  return message;
}
function responder(addresses: readonly string[] = ADDRESSES, presence = PRESENCE): Responder {
  const { given, own, ownInFull } = claimsOf(presence);
  return new Responder([[given], [own, ownInFull]], addresses, {
    multicast: (bytes) => void sent.push(read(bytes)),
    isOwnAddress: (address) => [...ADDRESSES, '192.168.9.9'].includes(address),
    onName: (host, state) => void names.push(`${host} ${state}`),
    random: () => 0.5,
  });
}
/** One that has its names, and has not said anything for a while. */
async function settled(addresses?: readonly string[]): Promise<Responder> {
  const one = responder(addresses);
  one.probe();
  await vi.advanceTimersByTimeAsync(10_000);
  sent.length = 0;
  return one;
}
/** What comes back to the asker alone. */
function ask(one: Responder, message: Partial<DnsMessage>, legacy = false): DnsMessage[] {
  const replies: DnsMessage[] = [];
  one.receive(encodeMessage(message), {
    ...{ id: '10.0.0.9 5353', legacy },
    reply: (bytes) => void replies.push(read(bytes)),
  });
  return replies;
}
const question = (name: string, type: number, unicast = false) => ({ name, type, unicast });
const record = (name: string, data: RecordData, ttlSeconds = 120): DnsRecord => ({
  name,
  ttlSeconds,
  flush: true,
  data,
});
const A = (name: string, address: string): DnsRecord => record(name, { type: 'A', address });
const kinds = (records: readonly DnsRecord[]): string[] =>
  records.map(({ name, data }) => `${name} ${data.type}`);

test('probes three times, 250 ms apart, with what it is going to say; then announces twice', async () => {
  const one = responder();
  one.probe();
  await vi.advanceTimersByTimeAsync(124);
  expect(sent).toEqual([]);
  await vi.advanceTimersByTimeAsync(1 + 2 * 250);
  const probes = sent.filter(({ questions }) => questions.some(({ name }) => name === 'hello.local'));
  expect(probes).toHaveLength(3);
  expect(probes[0]).toMatchObject({
    response: false,
    questions: [question('hello.local', TYPE.ANY, true)],
    authorities: [{ ...A('hello.local', '10.0.0.5'), flush: false }, { data: { type: 'AAAA' } }],
  });
  expect(names).toEqual([]);
  sent.length = 0;
  await vi.advanceTimersByTimeAsync(250);
  expect(names).toEqual(['hello.local held', 'hello-1234.local held']);
  await vi.advanceTimersByTimeAsync(60_000);
  const announced = sent.filter(({ answers }) => answers.some(({ name }) => name === 'hello.local'));
  expect(announced).toHaveLength(2);
  expect(announced[0]?.answers.every(({ flush }) => flush)).toBe(true);
  expect(sent).toHaveLength(4);
});

test('a name that somebody answers to is theirs; it is asked for again after five minutes', async () => {
  const one = responder();
  one.probe();
  await vi.advanceTimersByTimeAsync(200);
  ask(one, { response: true, answers: [A('HELLO.local', '10.0.0.7'), A('hello-1234.local', '10.0.0.7')] });
  await vi.advanceTimersByTimeAsync(5_000);
  expect(names).toEqual([
    ...['hello.local taken', 'hello-1234.local taken', 'hello-10000000abcd1234.local held'],
  ]);
  sent.length = 0;
  ask(one, { questions: [question('hello.local', TYPE.A)] });
  expect(sent).toEqual([]);
  await vi.advanceTimersByTimeAsync(5 * 60_000);
  expect(names.at(-1)).toBe('hello.local held');
});

test('of two that probe at once, the one whose records come later has the name; the other waits, and finds it taken', async () => {
  for (const [theirs, wins] of [
    ['10.0.0.4', true],
    ['10.0.0.6', false],
  ] as const) {
    const one = responder(['10.0.0.5']);
    one.probe();
    await vi.advanceTimersByTimeAsync(200);
    names = [];
    const probe = { questions: [question('hello.local', TYPE.ANY)], authorities: [A('hello.local', theirs)] };
    ask(one, probe);
    await vi.advanceTimersByTimeAsync(900);
    expect(names.includes('hello.local held')).toBe(wins);
    ask(one, { response: true, answers: [A('hello.local', '10.0.0.6')] });
    await vi.advanceTimersByTimeAsync(100);
    if (!wins) expect(names).toContain('hello.local taken');
    one.end();
  }
});

test('a name that is held is defended at once; whoever says otherwise makes it be probed for again', async () => {
  const one = await settled();
  ask(one, {
    questions: [question('hello.local', TYPE.ANY, true)],
    authorities: [A('hello.local', '10.0.0.7')],
  });
  expect(kinds(sent[0]?.answers ?? [])).toEqual(['hello.local A', 'hello.local AAAA']);
  sent.length = 0;
  // Of this device, by another interface; and a name that nobody needs any more.
  ask(one, {
    response: true,
    answers: [A('hello.local', '192.168.9.9'), { ...A('hello.local', '10.0.0.7'), ttlSeconds: 0 }],
  });
  await vi.advanceTimersByTimeAsync(1_000);
  expect(sent).toEqual([]);
  ask(one, { response: true, answers: [A('hello.local', '10.0.0.7')] });
  await vi.advanceTimersByTimeAsync(1);
  expect(sent).toMatchObject([{ response: false, authorities: [{}, {}] }]);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(names.slice(2)).toEqual(['hello.local held']);
});

test('a service is answered with all that is needed to reach it, after a moment, once a second', async () => {
  const one = await settled();
  const query = { questions: [question('_hearth._tcp.local', TYPE.PTR)] };
  ask(one, query);
  expect(sent).toEqual([]);
  await vi.advanceTimersByTimeAsync(120);
  expect(kinds(sent[0]?.answers ?? [])).toEqual(['_hearth._tcp.local PTR']);
  expect(sent[0]?.answers[0]?.flush).toBe(false);
  expect(kinds(sent[0]?.additionals ?? [])).toEqual([
    ...['hello-1234._hearth._tcp.local SRV', 'hello-1234._hearth._tcp.local TXT'],
    ...[
      'hello-1234._hearth._tcp.local NSEC',
      'hello-1234.local A',
      'hello-1234.local AAAA',
      'hello-1234.local NSEC',
    ],
  ]);
  ask(one, query);
  await vi.advanceTimersByTimeAsync(500);
  expect(sent).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(1_000);
  ask(one, query);
  await vi.advanceTimersByTimeAsync(200);
  expect(sent).toHaveLength(2);
});

test('what the asker knows is not said again, also when it says so in a second packet', async () => {
  const one = await settled();
  const questions = [question('_hearth._tcp.local', TYPE.PTR)];
  const known = record('_hearth._tcp.local', { type: 'PTR', target: 'hello-1234._hearth._tcp.local' }, 4_000);
  ask(one, { questions, answers: [known] });
  ask(one, { questions, truncated: true });
  ask(one, { answers: [known] });
  await vi.advanceTimersByTimeAsync(1_000);
  expect(sent).toEqual([]);
  ask(one, { questions, answers: [{ ...known, ttlSeconds: 2_000 }] });
  await vi.advanceTimersByTimeAsync(1_000);
  expect(sent).toHaveLength(1);
});

test('that there is no address of a kind is said, too: nobody has to wait for it', async () => {
  const one = await settled(['10.0.0.5']);
  ask(one, { questions: [question('hello.local', TYPE.AAAA)] });
  expect(sent[0]?.answers).toEqual([record('hello.local', { type: 'NSEC', types: [TYPE.A] })]);
  ask(one, { questions: [question('other.local', TYPE.A), question('_http._tcp.local', TYPE.PTR)] });
  expect(sent).toHaveLength(1);
});

test('whoever wants the answer alone gets it so, if all others have heard it lately', async () => {
  const one = await settled();
  const query = { questions: [question('hello.local', TYPE.A, true)] };
  expect(kinds(ask(one, query)[0]?.answers ?? [])).toEqual(['hello.local A']);
  await vi.advanceTimersByTimeAsync(31_000);
  expect(ask(one, query)).toEqual([]);
  expect(sent).toHaveLength(1);
});

test('an ordinary resolver gets an ordinary answer', async () => {
  const one = await settled();
  const [reply] = ask(one, { id: 99, questions: [question('hello.local', TYPE.A)] }, true);
  expect(reply).toMatchObject({
    ...{ id: 99, response: true, questions: [question('hello.local', TYPE.A)] },
    answers: [{ name: 'hello.local', ttlSeconds: 10, flush: false }],
  });
  expect(sent).toEqual([]);
});

test('another address is announced, and what went with the old one is taken back; the end is said', async () => {
  const one = await settled();
  one.readdress(['10.0.0.6', 'fe80::5']);
  expect(
    sent[0]?.answers.filter(({ ttlSeconds }) => ttlSeconds === 0).map(({ data }) => data),
  ).toContainEqual({
    ...{ type: 'A', address: '10.0.0.5' },
  });
  expect(kinds(sent[0]?.answers ?? [])).toContain('5.0.0.10.in-addr.arpa PTR');
  expect(sent[1]?.answers).toContainEqual(A('hello.local', '10.0.0.6'));
  await vi.advanceTimersByTimeAsync(5_000);
  sent.length = 0;
  one.end();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(sent).toHaveLength(1);
  expect(sent[0]?.answers.every(({ ttlSeconds }) => ttlSeconds === 0)).toBe(true);
});

test('the end is said also while the names are probed for again', async () => {
  const one = await settled();
  one.probe();
  await vi.advanceTimersByTimeAsync(300);
  sent.length = 0;
  one.end();
  expect(sent).toHaveLength(1);
  expect(kinds(sent[0]?.answers ?? [])).toContain('hello.local A');
  expect(one.end()).toBeUndefined();
});

test('where nobody may log in there is no SSH service, and the serial still makes a name', async () => {
  const one = responder(ADDRESSES, { ...PRESENCE, ssh: false, serial: 'ab' });
  one.probe();
  await vi.advanceTimersByTimeAsync(2_000);
  const said = sent.flatMap(({ answers }) => answers);
  expect(kinds(said).some((each) => each.includes('_ssh'))).toBe(false);
  expect(said).toContainEqual(
    record('hello-ab._hearth._tcp.local', { type: 'SRV', port: 0, target: 'hello-ab.local' }),
  );
});

test('whatever others say, it goes on, and is not made to talk more than once a second', async () => {
  const one = await settled();
  const name = fc.constantFrom('hello.local', 'HELLO-1234.local', '_hearth._tcp.local', 'x.local', '');
  const data: fc.Arbitrary<RecordData> = fc.oneof(
    fc.constantFrom('10.0.0.5', '10.0.0.7').map((address) => ({ type: 'A' as const, address })),
    name.map((target) => ({ type: 'PTR' as const, target })),
    name.map((target) => ({ type: 'SRV' as const, port: 22, target })),
    fc
      .array(fc.constantFrom('a=b', 'c'), { maxLength: 2 })
      .map((strings) => ({ type: 'TXT' as const, strings })),
    fc.nat(300).map((code) => ({ type: 'other' as const, code: 300 + code, bytes: Uint8Array.of(1) })),
  );
  const records = fc.array(
    fc.record({ name, data, flush: fc.boolean(), ttlSeconds: fc.constantFrom(0, 10, 4500) }),
    { maxLength: 4 },
  );
  const message = fc.record({
    ...{ response: fc.boolean(), truncated: fc.boolean() },
    questions: fc.array(
      fc.record({ name, type: fc.constantFrom(1, 12, 28, 33, 255), unicast: fc.boolean() }),
      {
        maxLength: 4,
      },
    ),
    ...{ answers: records, authorities: records, additionals: records },
  });
  await fc.assert(
    fc.asyncProperty(
      fc.array(message, { minLength: 1, maxLength: 20 }),
      fc.boolean(),
      async (messages, legacy) => {
        sent.length = 0;
        for (const each of messages) ask(one, each, legacy);
        await vi.advanceTimersByTimeAsync(900);
        // Probes and defence are quicker: four a second and name, and what is said at once and after a moment.
        expect(sent.length).toBeLessThanOrEqual(2 * 4 + 8);
        await vi.advanceTimersByTimeAsync(10 * 60_000);
        // By one name or the other it is found again.
        ask(one, { questions: [question('_hearth._tcp.local', TYPE.PTR)] });
        await vi.advanceTimersByTimeAsync(1_000);
        const found = sent.at(-1)?.answers[0]?.data;
        expect(found).toMatchObject({ type: 'PTR', target: expect.stringMatching(/^hello-/) });
      },
    ),
    { numRuns: 200 },
  );
});
