/**
 * Semantic Versioning 2.0.0: syntax and precedence. Build metadata (`+…`) is allowed and does not order.
 */
const NUMBER = '(?:0|[1-9]\\d{0,14})';
const PRE = `(?:${NUMBER}|\\d*[A-Za-z-][0-9A-Za-z-]*)`;
const VERSION = new RegExp(
  `^(${NUMBER})\\.(${NUMBER})\\.(${NUMBER})(?:-(${PRE}(?:\\.${PRE})*))?(?:\\+[0-9A-Za-z-]+(?:\\.[0-9A-Za-z-]+)*)?$`,
);
export const MAX_VERSION_LENGTH = 128;

export function isVersion(text: string): boolean {
  return text.length <= MAX_VERSION_LENGTH && VERSION.test(text);
}

/** Negative when a comes before b, zero when they are of equal precedence. Both must be versions. */
export function compareVersions(a: string, b: string): number {
  const left = split(a);
  const right = split(b);
  for (let index = 0; index < 3; index++) {
    const difference = Number(left.core[index]) - Number(right.core[index]);
    if (difference !== 0) return difference;
  }
  // A pre-release comes before the release.
  if (left.pre.length === 0 || right.pre.length === 0) return right.pre.length - left.pre.length;
  for (let index = 0; index < Math.max(left.pre.length, right.pre.length); index++) {
    const difference = compareIdentifiers(left.pre[index], right.pre[index]);
    if (difference !== 0) return difference;
  }
  return 0;
}

function split(version: string): { core: string[]; pre: string[] } {
  const match = VERSION.exec(version);
  if (!match) throw new TypeError(`not a version: ${version}`);
  return { core: match.slice(1, 4), pre: match[4]?.split('.') ?? [] };
}

/** Numbers before words; the shorter list first when all before is equal. */
function compareIdentifiers(a: string | undefined, b: string | undefined): number {
  if (a === undefined || b === undefined) return a === b ? 0 : a === undefined ? -1 : 1;
  const numeric = [a, b].map((identifier) => /^\d+$/.test(identifier));
  if (numeric[0] && numeric[1]) return Number(a) - Number(b);
  if (numeric[0] !== numeric[1]) return numeric[0] ? -1 : 1;
  return a < b ? -1 : a > b ? 1 : 0;
}
