import { FormatError } from '../../errors.ts';
import {
  type DnsMessage,
  type DnsRecord,
  decodeMessage,
  encodeMessage,
  sameName,
  TYPE,
  typeOf,
} from '../../formats/dns.ts';
import { answerTo, legacyReply, type Reply, type Said, sameRecord, tieBreak } from './answer.ts';
import { type Claim, nothingElse } from './claims.ts';

/** RFC 6762, 8.1: three probes, before which a random wait keeps those apart that were switched on together. */
const PROBES = 3;
const PROBE_MS = 250;
/** 8.2: whoever has lost against one that probes at the same time. It may have been an echo of old packets. */
const DEFERRED_MS = 1_000;
/** 8.3: at least two, a second apart. */
const ANNOUNCEMENTS = 2;
const ANNOUNCE_MS = 1_000;
/** 6: answers that others give too are kept apart. 7.2: and those to a question whose known answers are still to come, longer. */
const SHARED_MS = [20, 120] as const;
const TRUNCATED_MS = [400, 500] as const;
/** 6: a record goes to all at most once in so long; to defend a name, more often. */
const AT_MOST_EVERY_MS = 1_000;
const DEFEND_EVERY_MS = 250;
/** A name that was another device's: that one may have gone, or have got another name. */
const AGAIN_MS = 5 * 60_000;

/** Who has sent a packet. */
export interface Asker {
  /** Address and port, in one text. */
  id: string;
  /** An ordinary resolver, with a port of its own. */
  legacy: boolean;
  /** An answer to it alone. */
  reply(bytes: Uint8Array): void;
}

export interface ResponderEffects {
  /** To all who listen on this interface. */
  multicast(bytes: Uint8Array): void;
  /** Of this device, on whatever interface: what others say of it is no contradiction. */
  isOwnAddress(address: string): boolean;
  /** The name is this device's on this interface now; or it is another's, until it is said to be held. */
  onName(host: string, state: 'held' | 'taken'): void;
  /** 0 to 1. */
  random?(): number;
}

/** One name: the candidates for it, in order, and how far it has got with one of them. */
interface Name {
  candidates: readonly Claim[];
  at: number;
  state: 'idle' | 'probing' | 'held' | 'taken';
  timer: NodeJS.Timeout | undefined;
  /** Others may remember it, also while it is probed for again. */
  announced: boolean;
}

/**
 * A device's names on one interface, by multicast DNS (RFC 6762): probed for before they are used, announced, defended, given up to
 * whoever had them first, and said goodbye to at the end.
 */
export class Responder {
  readonly #effects: ResponderEffects;
  readonly #names: Name[];
  /** Of what is sent later than at once. */
  readonly #timers = new Set<NodeJS.Timeout>();
  /** When a record last went to all, by its content. */
  readonly #sent = new Map<string, number>();
  /** Questions whose known answers are still coming, by asker. */
  readonly #pending = new Map<string, DnsRecord[]>();
  #addresses: readonly string[];

  constructor(names: readonly (readonly Claim[])[], addresses: readonly string[], effects: ResponderEffects) {
    this.#names = names.map((candidates) => ({
      candidates,
      at: 0,
      state: 'idle',
      timer: undefined,
      announced: false,
    }));
    this.#addresses = addresses;
    this.#effects = effects;
  }

  /** Also when the interface can be reached in another way than before: others there may have the names by now. */
  probe(): void {
    for (const name of this.#names) {
      name.at = 0;
      this.#probe(name, this.#between(0, PROBE_MS));
    }
  }

  /** The interface has other addresses. */
  readdress(addresses: readonly string[]): void {
    const before = this.#said();
    this.#addresses = addresses;
    const { unique, shared } = this.#said();
    const now = [...unique, ...shared];
    const gone = [...before.unique, ...before.shared].filter(
      (old) => !now.some((each) => sameRecord(each, old)),
    );
    this.#goodbye(gone);
    for (const name of this.#names) if (name.state === 'held') this.#announce(name);
  }

  receive(bytes: Uint8Array, from: Asker): void {
    let message: DnsMessage | undefined;
    try {
      message = decodeMessage(bytes);
    } catch (error) {
      // Anybody may send anything to this port.
      if (error instanceof FormatError) return;
      throw error;
    }
    if (message?.response) this.#heard(message);
    else if (message) this.#asked(message, from);
  }

  /**
   * Nobody is to look for this device here any more.
   * @returns what has told them, to be said again by whoever has the time: there are no answers to it
   */
  end(): Uint8Array | undefined {
    const known = this.#names.filter(({ announced }) => announced);
    const records = known.flatMap((name) => {
      const { unique, shared } = sayingsOf(name, this.#addresses);
      return [...unique, ...shared];
    });
    for (const name of this.#names) {
      this.#set(name, 'idle');
      name.announced = false;
    }
    for (const timer of this.#timers) clearTimeout(timer);
    this.#timers.clear();
    return this.#goodbye(records);
  }

  #probe(name: Name, afterMs: number, sent = 0): void {
    this.#set(name, 'probing');
    name.timer = setTimeout(() => {
      if (sent === PROBES) {
        this.#set(name, 'held');
        name.announced = true;
        this.#effects.onName(claim(name).host, 'held');
        this.#announce(name);
        return;
      }
      const authorities = claim(name).unique(this.#addresses);
      const questions = [...new Set(authorities.map((record) => record.name))];
      this.#effects.multicast(
        encodeMessage({
          questions: questions.map((each) => ({ name: each, type: TYPE.ANY, unicast: true })),
          authorities: authorities.map((record) => ({ ...record, flush: false })),
        }),
      );
      this.#probe(name, PROBE_MS, sent + 1);
    }, afterMs);
  }

  #announce(name: Name, times = ANNOUNCEMENTS): void {
    const { unique, shared } = saidOf(name, this.#addresses);
    const hosts = [...new Set(unique.map((record) => record.name))];
    this.#multicast({
      answers: [...unique, ...shared],
      additionals: hosts.map((host) =>
        nothingElse(
          host,
          unique.filter((each) => each.name === host),
        ),
      ),
    });
    clearTimeout(name.timer);
    if (times > 1) name.timer = setTimeout(() => this.#announce(name, times - 1), ANNOUNCE_MS);
  }

  /** 9: whoever says something else of a name than we do, has it, or claims it. */
  #heard({ answers, additionals }: DnsMessage): void {
    for (const name of this.#names) {
      const said = [...answers, ...additionals];
      if (name.state === 'probing' && said.some((each) => this.#isOthers(each, name))) this.#lost(name);
      else if (name.state === 'held' && said.some((each) => this.#contradicts(each, name)))
        this.#probe(name, 0);
    }
  }

  #asked(message: DnsMessage, from: Asker): void {
    const { questions, answers: known, authorities } = message;
    for (const name of this.#names) if (name.state === 'probing') this.#meets(name, message);
    const pending = this.#pending.get(from.id);
    // The rest of what an asker knows: no question of its own.
    if (pending && questions.length === 0) {
      pending.push(...known);
      return;
    }
    const reply = answerTo(questions, this.#said(), known);
    if (!reply) return;
    if (from.legacy) {
      from.reply(encodeMessage(legacyReply(message, reply)));
      return;
    }
    const isProbe = authorities.length > 0;
    if (
      questions.every(({ unicast }) => unicast) &&
      !isProbe &&
      reply.answers.every((each) => this.#isFresh(each))
    ) {
      from.reply(encodeMessage({ response: true, ...reply }));
      return;
    }
    if (isProbe) this.#multicast(reply, DEFEND_EVERY_MS);
    else if (message.truncated) this.#answerLater(message, from, this.#between(...TRUNCATED_MS));
    else if (reply.answers.every(({ flush }) => flush)) this.#multicast(reply, AT_MOST_EVERY_MS);
    else this.#answerLater(message, from, this.#between(...SHARED_MS));
  }

  #answerLater({ questions, answers }: DnsMessage, { id }: Asker, afterMs: number): void {
    const known = [...answers];
    this.#pending.set(id, known);
    const timer = setTimeout(() => {
      this.#timers.delete(timer);
      if (this.#pending.get(id) === known) this.#pending.delete(id);
      const reply = answerTo(questions, this.#said(), known);
      if (reply) this.#multicast(reply, AT_MOST_EVERY_MS);
    }, afterMs);
    this.#timers.add(timer);
  }

  /** One that probes for the same name at this very moment. */
  #meets(name: Name, { questions, authorities }: DnsMessage): void {
    const ours = claim(name).unique(this.#addresses);
    for (const host of new Set(ours.map((record) => record.name))) {
      if (!questions.some((question) => sameName(question.name, host))) continue;
      const theirs = authorities.filter((record) => sameName(record.name, host));
      if (!theirs.some((record) => this.#isOthers(record, name))) continue;
      const mine = ours.filter((record) => record.name === host);
      if (tieBreak(mine, theirs) < 0) this.#probe(name, DEFERRED_MS);
    }
  }

  #lost(name: Name): void {
    const { host } = claim(name);
    name.announced = false;
    name.at++;
    if (name.at < name.candidates.length) {
      this.#effects.onName(host, 'taken');
      this.#probe(name, PROBE_MS);
      return;
    }
    name.at = 0;
    this.#set(name, 'taken');
    this.#effects.onName(host, 'taken');
    name.timer = setTimeout(() => this.#probe(name, 0), AGAIN_MS);
  }

  /** Said of this name, and nothing that this device says. */
  #isOthers(record: DnsRecord, name: Name): boolean {
    const ours = claim(name).unique(this.#addresses);
    if (record.ttlSeconds === 0 || record.data.type === 'NSEC') return false;
    if (!ours.some((each) => sameName(each.name, record.name))) return false;
    const { data } = record;
    if ((data.type === 'A' || data.type === 'AAAA') && this.#effects.isOwnAddress(data.address)) return false;
    return !ours.some((each) => sameRecord(each, record));
  }

  #contradicts(record: DnsRecord, name: Name): boolean {
    const type = typeOf(record.data);
    const kinds = claim(name)
      .unique(this.#addresses)
      .map(({ data }) => typeOf(data));
    return kinds.includes(type) && this.#isOthers(record, name);
  }

  #said(): Said {
    const all = this.#names.map((name) => saidOf(name, this.#addresses));
    return { unique: all.flatMap(({ unique }) => unique), shared: all.flatMap(({ shared }) => shared) };
  }

  /** To all, but for what has just been said to all. */
  #multicast({ answers, additionals }: Reply, atMostEveryMs = 0): void {
    const now = performance.now();
    const due = answers.filter((each) => now - (this.#sent.get(keyOf(each)) ?? -Infinity) >= atMostEveryMs);
    if (due.length === 0) return;
    for (const each of [...due, ...additionals]) this.#sent.set(keyOf(each), now);
    this.#effects.multicast(encodeMessage({ response: true, answers: due, additionals }));
  }

  /** 5.4: everybody has heard it within the last quarter of its time; if not, everybody should. */
  #isFresh(record: DnsRecord): boolean {
    const sent = this.#sent.get(keyOf(record));
    return sent !== undefined && performance.now() - sent < record.ttlSeconds * 250;
  }

  #goodbye(records: readonly DnsRecord[]): Uint8Array | undefined {
    if (records.length === 0) return undefined;
    for (const record of records) this.#sent.delete(keyOf(record));
    const answers = records.map((record) => ({ ...record, ttlSeconds: 0 }));
    const bytes = encodeMessage({ response: true, answers });
    this.#effects.multicast(bytes);
    return bytes;
  }

  #set(name: Name, state: Name['state']): void {
    clearTimeout(name.timer);
    name.timer = undefined;
    name.state = state;
  }

  #between(least: number, most: number): number {
    return least + (this.#effects.random ?? Math.random)() * (most - least);
  }
}

function claim({ candidates, at }: Name): Claim {
  const found = candidates[at];
  if (!found) throw new RangeError('a name without candidates');
  return found;
}

function saidOf(name: Name, addresses: readonly string[]): Said {
  return name.state === 'held' ? sayingsOf(name, addresses) : { unique: [], shared: [] };
}

function sayingsOf(name: Name, addresses: readonly string[]): Said {
  return { unique: claim(name).unique(addresses), shared: claim(name).shared(addresses) };
}

function keyOf({ name, data }: DnsRecord): string {
  return JSON.stringify([name, data]);
}
