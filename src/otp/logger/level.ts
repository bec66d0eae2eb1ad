/**
 * From the least to the most urgent; the names are those of OTP and syslog. Syslog's two above `critical`, alert and
 * emergency, are about a whole machine: here that is what hearthd and heart say.
 */
export const LEVELS = ['debug', 'info', 'notice', 'warning', 'error', 'critical'] as const;
export type Level = (typeof LEVELS)[number];

/** 0 for debug … 5 for critical; 6 for what is off. */
export type Rank = number;

export const OFF: Rank = LEVELS.length;

export function rankOf(level: Level | 'none'): Rank {
  const rank = LEVELS.indexOf(level as Level);
  return rank < 0 ? OFF : rank;
}

export function isLevel(text: string): text is Level {
  return LEVELS.includes(text as Level);
}

/** Shared by all loggers of one module, so that a check is one comparison. */
export interface Threshold {
  lowest: Rank;
}

/**
 * The lowest level of each module, changed at run time. A module takes the level of the nearest one above it that has
 * its own (`net.http`, then `net`), else that of everything.
 */
export class ModuleLevels {
  #all: Rank;
  readonly #set = new Map<string, Rank>();
  readonly #thresholds = new Map<string, Threshold>();

  constructor(all: Level | 'none') {
    this.#all = rankOf(all);
  }

  threshold(module: string): Threshold {
    let threshold = this.#thresholds.get(module);
    if (!threshold) {
      threshold = { lowest: this.#lowest(module) };
      this.#thresholds.set(module, threshold);
    }
    return threshold;
  }

  /** @param module '' for everything that has no level of its own */
  set(module: string, level: Level | 'none'): void {
    if (module === '') this.#all = rankOf(level);
    else this.#set.set(module, rankOf(level));
    this.#spread();
  }

  reset(module: string): void {
    this.#set.delete(module);
    this.#spread();
  }

  #spread(): void {
    for (const [module, threshold] of this.#thresholds) threshold.lowest = this.#lowest(module);
  }

  #lowest(module: string): Rank {
    for (let name = module; name !== ''; name = name.slice(0, Math.max(0, name.lastIndexOf('.')))) {
      const own = this.#set.get(name);
      if (own !== undefined) return own;
    }
    return this.#all;
  }
}

/** `HEARTH_LOG_LEVEL`: `info`, or with modules of their own, `info,net=debug,net.http=none`. What is no level is passed over. */
export function parseLevels(text: string | undefined): {
  all: Level | 'none';
  modules: Map<string, Level | 'none'>;
} {
  const modules = new Map<string, Level | 'none'>();
  let all: Level | 'none' = 'info';
  for (const part of (text ?? '').split(',')) {
    const [left = '', right] = part.split('=').map((word) => word.trim());
    const level = right ?? left;
    if (level !== 'none' && !isLevel(level)) continue;
    if (right === undefined) all = level;
    else modules.set(left, level);
  }
  return { all, modules };
}
