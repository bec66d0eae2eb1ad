import {
  type DnsMessage,
  type DnsRecord,
  dataBytes,
  type Question,
  sameName,
  TYPE,
  typeOf,
} from '../../formats/dns.ts';
import { nothingElse } from './claims.ts';

/** What is said of the names that the device has now. */
export interface Said {
  unique: readonly DnsRecord[];
  shared: readonly DnsRecord[];
}

export interface Reply {
  answers: DnsRecord[];
  additionals: DnsRecord[];
}

/** Whoever asks an ordinary DNS question of this group is to ask again soon (RFC 6762, 6.7). */
const LEGACY_TTL_SECONDS = 10;

/** The answer to these questions; undefined when there is none, or the asker has it already. */
export function answerTo(
  questions: readonly Question[],
  said: Said,
  known: readonly DnsRecord[],
): Reply | undefined {
  const all = [...said.unique, ...said.shared];
  const found = questions.flatMap((question) => answersTo(question, said, all));
  const answers = distinct(found).filter((record) => !isKnown(record, known));
  if (answers.length === 0) return undefined;
  const also = answers.flatMap(({ data }) => alongWith(data.type === 'PTR' ? data.target : undefined, said));
  const hosts = [...answers, ...also].flatMap(({ data }) =>
    data.type === 'SRV' ? alongWith(data.target, said) : [],
  );
  const additionals = distinct([...also, ...hosts]).filter(
    (record) => !answers.some((answer) => sameRecord(answer, record)) && !isKnown(record, known),
  );
  return { answers, additionals };
}

function answersTo({ name, type }: Question, said: Said, all: readonly DnsRecord[]): DnsRecord[] {
  const named = all.filter((record) => sameName(record.name, name));
  const fitting = named.filter(({ data }) => type === TYPE.ANY || typeOf(data) === type);
  if (fitting.length > 0) return fitting;
  const own = said.unique.filter((record) => sameName(record.name, name));
  return own.length > 0 ? [nothingElse(name, own)] : [];
}

/** Of a name that an answer leads to: so nobody needs to ask again, not even for an address that there is none of. */
function alongWith(name: string | undefined, { unique }: Said): DnsRecord[] {
  if (name === undefined) return [];
  const own = unique.filter((record) => sameName(record.name, name));
  return own.length > 0 ? [...own, nothingElse(name, own)] : [];
}

/** RFC 6762, 7.1: as long as the asker will remember it for at least half its time. */
function isKnown(record: DnsRecord, known: readonly DnsRecord[]): boolean {
  return known.some((each) => each.ttlSeconds >= record.ttlSeconds / 2 && sameRecord(each, record));
}

export function sameRecord(a: DnsRecord, b: DnsRecord): boolean {
  return sameName(a.name, b.name) && typeOf(a.data) === typeOf(b.data) && sameData(a, b);
}

function sameData(a: DnsRecord, b: DnsRecord): boolean {
  return dataBytes(a.data, a.name).equals(dataBytes(b.data, b.name));
}

function distinct(records: readonly DnsRecord[]): DnsRecord[] {
  return records.filter((record, at) => records.findIndex((other) => sameRecord(other, record)) === at);
}

/** For a resolver that knows nothing of multicast: it gets its question back, and forgets the answer soon. */
export function legacyReply(
  { id, questions }: DnsMessage,
  { answers, additionals }: Reply,
): Partial<DnsMessage> {
  const shortly = (record: DnsRecord): DnsRecord => ({
    ...record,
    flush: false,
    ttlSeconds: Math.min(record.ttlSeconds, LEGACY_TTL_SECONDS),
  });
  return {
    ...{ id, response: true },
    questions: questions.map((question) => ({ ...question, unicast: false })),
    ...{ answers: answers.map(shortly), additionals: additionals.map(shortly) },
  };
}

/**
 * Two that probe for the same name at the same time: whose records come later in the order of RFC 6762, 8.2 has it.
 * @returns less than 0 when ours come first, so that we give way
 */
export function tieBreak(ours: readonly DnsRecord[], theirs: readonly DnsRecord[]): number {
  const mine = ours.map(sortable).sort(Buffer.compare);
  const others = theirs.map(sortable).sort(Buffer.compare);
  for (const [at, bytes] of mine.entries()) {
    const other = others[at];
    if (!other) return 1;
    const order = Buffer.compare(bytes, other);
    if (order !== 0) return order;
  }
  return mine.length - others.length;
}

/** Class, type, content. The class is always the same. */
function sortable({ name, data }: DnsRecord): Buffer {
  const type = Buffer.alloc(2);
  type.writeUInt16BE(typeOf(data));
  return Buffer.concat([type, dataBytes(data, name)]);
}
