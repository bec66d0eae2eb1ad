/** The longest that Node's timers take: they would fire a longer one at once. */
export const MAX_TIMER_MS = 2 ** 31 - 1;

/** Something that must happen within a time, or else: a node of a list, so that adding and removing cost nothing. */
export interface Expiring {
  before: Expiring | undefined;
  after: Expiring | undefined;
  /** Of `performance.now()`. */
  at: number;
  list: DeadlineList | undefined;
  expire(): void;
}

/**
 * All that waits equally long, in the order in which it began: the first is always the next to expire. One timer
 * serves them all, where a timer for each would cost more than most calls take.
 */
export class DeadlineList {
  readonly #ms: number;
  #first: Expiring | undefined;
  #last: Expiring | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(ms: number) {
    this.#ms = ms;
  }

  add(node: Expiring): void {
    node.at = performance.now() + this.#ms;
    node.list = this;
    node.before = this.#last;
    if (this.#last) this.#last.after = node;
    else this.#first = node;
    this.#last = node;
    if (!this.#timer) this.#timer = this.#arm(this.#ms);
    else if (!node.before) this.#timer.ref();
  }

  remove(node: Expiring): void {
    if (node.list !== this) return;
    if (node.before) node.before.after = node.after;
    else this.#first = node.after;
    if (node.after) node.after.before = node.before;
    else this.#last = node.before;
    node.before = node.after = node.list = undefined;
    // Who waits for an answer must learn that there is none; where nobody waits, the timer must not hold up the program.
    if (!this.#first) this.#timer?.unref();
  }

  #arm(ms: number): NodeJS.Timeout {
    return setTimeout(() => this.#expire(), Math.min(MAX_TIMER_MS, Math.max(1, Math.ceil(ms))));
  }

  #expire(): void {
    this.#timer = undefined;
    const now = performance.now();
    while (this.#first && this.#first.at <= now) {
      const node = this.#first;
      this.remove(node);
      node.expire();
    }
    // What began meanwhile may have armed it already.
    if (this.#first) this.#timer ??= this.#arm(this.#first.at - now);
    else if (!this.#timer) lists.delete(this.#ms);
  }
}

const lists = new Map<number, DeadlineList>();

/** The list for one length of time. It goes when it is empty: who computes what time is left makes many. */
export function deadlineList(ms: number): DeadlineList {
  const known = lists.get(ms);
  if (known) return known;
  const list = new DeadlineList(ms);
  lists.set(ms, list);
  return list;
}
