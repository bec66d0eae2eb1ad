import { Secret } from './secret.ts';

/** Why a text is not what it should be; undefined when it is. */
type Parsed<T> = { value: T } | { problem: string };

interface Shape<T> {
  /** What it should be, after "expected". */
  expected: string;
  parse(text: string): Parsed<T>;
  /** Whether a wrong text may be shown. */
  shown: boolean;
}

/** One environment variable and what it must be. */
export class Variable<T> {
  readonly name: string;
  readonly #shape: Shape<T>;
  readonly #absent: { value: T } | undefined;

  constructor(name: string, shape: Shape<T>, absent?: { value: T }) {
    this.name = name;
    this.#shape = shape;
    this.#absent = absent;
  }

  /** `undefined` when the variable is not there. */
  optional(): Variable<T | undefined> {
    return new Variable<T | undefined>(this.name, this.#shape, { value: undefined });
  }

  /** What it is when the variable is not there. */
  default(value: T): Variable<T> {
    return new Variable<T>(this.name, this.#shape, { value });
  }

  /** An empty variable counts as one that is not there: that is what `NAME= app` and an unset field of a form give. */
  read(text: string | undefined): Parsed<T> {
    const { expected, shown, parse } = this.#shape;
    if (text === undefined || text === '')
      return this.#absent ?? { problem: `${this.name} is not set (expected ${expected})` };
    const parsed = parse(text);
    if ('value' in parsed) return parsed;
    const was = shown ? `${JSON.stringify(text.length > 60 ? `${text.slice(0, 59)}…` : text)} ` : '';
    return { problem: `${this.name} is ${was}${parsed.problem} (expected ${expected})` };
  }
}

export interface Range {
  min?: number;
  max?: number;
}

const UNITS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const TRUE = ['true', '1', 'yes', 'on'];
const FALSE = ['false', '0', 'no', 'off'];

/** The kinds of variables: `vars.int('PORT', { min: 1 }).default(8080)`. */
export const vars = {
  string(name: string, { pattern }: { pattern?: RegExp } = {}): Variable<string> {
    return new Variable<string>(name, {
      expected: pattern ? `a text that matches ${pattern}` : 'a text',
      shown: false,
      parse: (text) =>
        !pattern || new RegExp(pattern.source, pattern.flags.replace(/[gy]/g, '')).test(text)
          ? { value: text }
          : { problem: 'a text that does not match' },
    });
  },

  int(name: string, range: Range = {}): Variable<number> {
    return new Variable<number>(name, {
      expected: `an integer${rangeText(range)}`,
      shown: true,
      parse: (text) => inRange(/^[+-]?\d+$/.test(text) ? Number(text) : Number.NaN, range),
    });
  },

  bool(name: string): Variable<boolean> {
    return new Variable<boolean>(name, {
      expected: 'true or false',
      shown: true,
      parse: (text) => {
        const word = text.toLowerCase();
        if (TRUE.includes(word)) return { value: true };
        return FALSE.includes(word) ? { value: false } : { problem: 'and neither' };
      },
    });
  },

  enum<const V extends readonly [string, ...string[]]>(name: string, values: V): Variable<V[number]> {
    return new Variable<V[number]>(name, {
      expected: `one of ${values.join(', ')}`,
      shown: true,
      parse: (text) => (values.includes(text) ? { value: text } : { problem: 'and none of them' }),
    });
  },

  /** @param schemes without the colon; the default is any */
  url(name: string, { schemes }: { schemes?: readonly string[] } = {}): Variable<URL> {
    return new Variable<URL>(name, {
      expected: schemes ? `a URL with ${schemes.map((scheme) => `${scheme}:`).join(' or ')}` : 'a URL',
      // URLs carry passwords.
      shown: false,
      parse: (text) => {
        if (!URL.canParse(text)) return { problem: 'no URL' };
        const value = new URL(text);
        return !schemes || schemes.includes(value.protocol.slice(0, -1))
          ? { value }
          : { problem: `a URL with ${value.protocol}` };
      },
    });
  },

  /** `250ms`, `5s`, `10m`, `1h`, `7d`, `1.5h`: milliseconds. */
  duration(name: string, range: Range = {}): Variable<number> {
    return new Variable<number>(name, {
      expected: `a duration such as 250ms, 5s, 10m, 1h or 7d${rangeText(range, ' ms')}`,
      shown: true,
      parse: (text) => {
        const [, amount, unit] = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text) ?? [];
        return inRange(Number(amount) * UNITS[(unit ?? 'ms') as keyof typeof UNITS], range);
      },
    });
  },

  /** A value that no log and no message shows; `reveal()` gives it. */
  secret(name: string, { minLength = 1 }: { minLength?: number } = {}): Variable<Secret> {
    return new Variable<Secret>(name, {
      expected: minLength > 1 ? `a secret of at least ${minLength} characters` : 'a secret',
      shown: false,
      parse: (text) =>
        text.length >= minLength
          ? { value: new Secret(text) }
          : { problem: `${text.length} characters long` },
    });
  },
};

function inRange(
  value: number,
  { min = -Number.MAX_SAFE_INTEGER, max = Number.MAX_SAFE_INTEGER }: Range,
): Parsed<number> {
  if (Number.isNaN(value)) return { problem: 'and no such value' };
  return value >= min && value <= max ? { value } : { problem: 'and out of range' };
}

function rangeText({ min, max }: Range, unit = ''): string {
  if (min !== undefined && max !== undefined) return ` from ${min} to ${max}${unit}`;
  if (min !== undefined) return ` of at least ${min}${unit}`;
  return max === undefined ? '' : ` of at most ${max}${unit}`;
}
