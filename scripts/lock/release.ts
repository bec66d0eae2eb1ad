import { FwError } from '../../src/errors.ts';

/** What an archive signs of a suite: when, until when, and the hash of every index. deb822, as in the Debian wiki's DebianRepository/Format. */
export interface Release {
  codename: string;
  date: Date;
  /** Suites that change daily have one; a point release is good until the next. */
  validUntil?: Date;
  /** By path below the suite's folder. */
  indexes: Map<string, { sha256: string; size: number }>;
}

/** @throws FwError `release-damaged` */
export function parseRelease(text: string): Release {
  const field = (name: string): string | undefined => new RegExp(`^${name}: *(.+)$`, 'm').exec(text)?.[1];
  const date = (name: string): Date | undefined => {
    const value = field(name);
    if (value === undefined) return undefined;
    const parsed = new Date(value);
    if (Number.isNaN(parsed.getTime())) throw damaged(`${name} is no date: ${value}`);
    return parsed;
  };
  const [codename, released, validUntil] = [field('Codename'), date('Date'), date('Valid-Until')];
  if (!codename || !released) throw damaged('it lacks Codename or Date');
  const section = /^SHA256:\n((?: .*\n?)+)/m.exec(text)?.[1] ?? '';
  const lines = section.matchAll(/^ ([0-9a-f]{64}) +(\d+) (\S+)$/gm);
  const indexes = new Map(
    [...lines].map(([, sha256 = '', size, path = '']) => [path, { sha256, size: Number(size) }]),
  );
  return { codename, date: released, ...(validUntil ? { validUntil } : {}), indexes };
}

/**
 * Whether a release, however well signed, is the one that was asked for, and of now: a mirror may answer with another
 * suite's, or with an old one for as long as it likes.
 * @throws FwError `release-of-another-suite`, `release-expired`, `release-from-the-future`
 */
export function checkRelease(release: Release, suite: string, now: Date): void {
  const { codename, date, validUntil } = release;
  if (codename !== suite) {
    throw new FwError('release-of-another-suite', `the mirror sent the release file of ${codename}`, {
      where: suite,
      expected: `Codename: ${suite}`,
      remedy: 'Use another mirror.',
    });
  }
  if (validUntil && validUntil < now) {
    throw new FwError('release-expired', `the release file was valid until ${validUntil.toISOString()}`, {
      where: suite,
      expected: `one that is valid at ${now.toISOString()}`,
      remedy:
        'Use another mirror: this one is out of date, or is made to seem so. A dated snapshot needs --force.',
    });
  }
  if (date > now) {
    throw new FwError('release-from-the-future', `the release file is dated ${date.toISOString()}`, {
      where: suite,
      expected: `a date before ${now.toISOString()}`,
      remedy: "Set this machine's clock.",
    });
  }
}

function damaged(what: string): FwError {
  return new FwError('release-damaged', `the release file is damaged: ${what}`, {
    remedy: 'Use another mirror.',
  });
}
