import type { Address } from '../process/address.ts';
import { OverloadError } from '../process/errors.ts';
import { Message } from '../process/message.ts';
import { ownerOf } from '../process/owner.ts';
import type { Possession, Process } from '../process/process.ts';
import type { Answer, MessageName, ServerRef } from '../server/ref.ts';
import { refOf } from '../server/ref-of.ts';
import type { Server } from '../server/server.ts';
import { describeKey } from './entry.ts';

/** A message to a process that monitors a group: a member has come or gone. */
export class GroupChange<G = string, T extends Server = Server> {
  readonly monitor: GroupMonitor<G>;
  readonly type: 'join' | 'leave';
  readonly group: G;
  readonly member: ServerRef<T>;
  constructor(monitor: GroupMonitor<G>, type: 'join' | 'leave', group: G, member: ServerRef<T>) {
    this.monitor = monitor;
    this.type = type;
    this.group = group;
    this.member = member;
  }
}

/** What one member made of a call to all. */
export type Reply<T extends Server, R> = { member: ServerRef<T> } & PromiseSettledResult<R>;

type Args<F> = F extends (...args: infer A) => unknown ? A : never;

/**
 * Groups of processes: `pg` of OTP, for one program. As there, a process may join a group more than once; it is then as
 * often among the members, and has to leave as often. It leaves all groups when it ends. A `Groups` is what `pg` calls a
 * scope: groups of another have nothing to do with it. It is no process, and needs no supervisor.
 */
export class Groups<G = string, T extends Server = Server> {
  readonly #groups = new Map<G, Set<Membership<G, T>>>();
  readonly #monitors = new Set<GroupMonitor<G>>();
  readonly #leave = (membership: Membership<G, T>): void => this.#left(membership);

  /**
   * Adds a process to a group; the calling one, if none is named.
   * @throws OwnerError
   */
  join(group: G, member?: Address): void {
    const process = ownerOf(member, `join '${describeKey(group)}'`);
    const membership = new Membership<G, T>(this.#leave, group, process);
    process.owns(membership);
    let members = this.#groups.get(group);
    if (!members) {
      members = new Set();
      this.#groups.set(group, members);
    }
    members.add(membership);
    this.#tell('join', membership);
  }

  /** Takes a process out of a group, once. False when it was not in it. */
  leave(group: G, member?: Address): boolean {
    const process = ownerOf(member, `leave '${describeKey(group)}'`);
    for (const membership of this.#groups.get(group) ?? []) {
      if (membership.process !== process) continue;
      process.possessions?.delete(membership);
      this.#left(membership);
      return true;
    }
    return false;
  }

  /** Those that are in a group, as often as they joined, the first to join first. */
  members(group: G): ServerRef<T>[] {
    return Array.from(this.#groups.get(group) ?? [], ({ ref }) => ref);
  }

  /** The groups that have members. */
  groups(): G[] {
    return [...this.#groups.keys()];
  }

  /**
   * Casts to every member.
   * @throws AggregateError of OverloadErrors when mailboxes were full; all others have got it
   */
  cast<N extends MessageName<T>>(group: G, name: N, ...args: Args<T[N]>): void {
    this.#toAll(group, (member) => member.cast(name, ...args));
  }

  /**
   * Sends something to `info` of every member.
   * @throws AggregateError of OverloadErrors when mailboxes were full; all others have got it
   */
  send(group: G, message: Parameters<ServerRef<T>['send']>[0]): void {
    this.#toAll(group, (member) => member.send(message));
  }

  /** Calls every member, all at once, and waits for all of them: for an answer, or why there is none. Never rejects. */
  async call<N extends MessageName<T>>(
    group: G,
    name: N,
    ...args: Args<T[N]>
  ): Promise<Reply<T, Answer<T[N]>>[]> {
    const members = this.members(group);
    const settled = await Promise.allSettled(members.map((member) => member.call(name, ...args)));
    return members.flatMap((member, at) => {
      const result = settled[at];
      return result ? [{ member, ...result }] : [];
    });
  }

  /**
   * From now on the calling process gets a `GroupChange` for every process that joins or leaves the group; without a
   * group, for all of them. `members()` of the same moment says where the changes begin.
   * @throws OwnerError
   */
  monitor(group?: G, watcher?: Address): GroupMonitor<G> {
    const process = ownerOf(watcher, 'monitor groups');
    const monitor = new GroupMonitor<G>(process, group, (gone) => this.#monitors.delete(gone));
    this.#monitors.add(monitor);
    process.owns(monitor);
    return monitor;
  }

  #toAll(group: G, tell: (member: ServerRef<T>) => void): void {
    const errors: OverloadError[] = [];
    for (const member of this.members(group)) {
      try {
        tell(member);
      } catch (thrown) {
        if (!(thrown instanceof OverloadError)) throw thrown;
        errors.push(thrown);
      }
    }
    if (errors.length > 0)
      throw new AggregateError(
        errors,
        `${errors.length} members of '${describeKey(group)}' were full and did not get it`,
      );
  }

  #left(membership: Membership<G, T>): void {
    const members = this.#groups.get(membership.group);
    if (!members?.delete(membership)) return;
    if (members.size === 0) this.#groups.delete(membership.group);
    this.#tell('leave', membership);
  }

  #tell(type: 'join' | 'leave', { group, ref }: Membership<G, T>): void {
    for (const monitor of this.#monitors) {
      if (monitor.group === undefined || monitor.group === group)
        monitor.watcher.admit(new Message('info', '', [new GroupChange(monitor, type, group, ref)]));
    }
  }
}

class Membership<G, T extends Server> implements Possession {
  readonly #leave: (membership: Membership<G, T>) => void;
  readonly group: G;
  readonly process: Process;
  readonly ref: ServerRef<T>;
  constructor(leave: (membership: Membership<G, T>) => void, group: G, process: Process) {
    this.#leave = leave;
    this.group = group;
    this.process = process;
    this.ref = refOf(process);
  }

  released(): void {
    this.#leave(this);
  }
}

/** A process' wish to hear who joins and leaves. It goes with the process. */
export class GroupMonitor<G> implements Possession, Disposable {
  readonly watcher: Process;
  /** The one that it is about; undefined for all. */
  readonly group: G | undefined;
  readonly #gone: (monitor: GroupMonitor<G>) => void;
  constructor(watcher: Process, group: G | undefined, gone: (monitor: GroupMonitor<G>) => void) {
    this.watcher = watcher;
    this.group = group;
    this.#gone = gone;
  }

  released(): void {
    this.#gone(this);
  }

  /** After this no `GroupChange` comes; one that lies in the mailbox already stays. */
  [Symbol.dispose](): void {
    this.watcher.possessions?.delete(this);
    this.#gone(this);
  }
}
