import type { Cache } from '../../build/cache.ts';
import { type Sources, sourcesOf } from '../../build/sources/index.ts';
import { mirrors } from '../../build/sources/mirrors.ts';
import { missingDownloads } from '../../build/sources/missing.ts';
import { localArchive } from '../../build/sources/system-archive.ts';
import { systemIsCached } from '../../build/system/index.ts';
import type { LoadedTarget } from '../../build/targets.ts';
import { FwError } from '../../errors.ts';
import { type Finding, ok, problem } from './finding.ts';
import type { Host } from './host.ts';

export interface SystemProbes {
  mirrors: typeof mirrors;
  /** Whether a server has a file. Throws, or says what it answers. */
  ask(url: string): Promise<'there' | string>;
}

const ANSWER_MS = 15_000;
const REAL: SystemProbes = { mirrors, ask };

/**
 * Whether a target's system is on this machine, and if not, whether it is known where from it would come.
 * @param online also asks whether a mirror has what is missing
 */
export async function checkSystem(
  host: Host,
  loaded: LoadedTarget,
  cache: Cache,
  { projectDir, online }: { projectDir?: string; online: boolean },
  probes: SystemProbes = REAL,
): Promise<{ finding: Finding; missing: boolean }> {
  const { target, lock } = loaded;
  const check = `${target.name} system`;
  const here = (text: string) => ({ finding: ok(check, text), missing: false });
  if (await systemIsCached(loaded, cache)) return here('in the cache: builds need no network');
  const sources = sourcesOf(host.env, projectDir ? { projectDir } : {});
  if (lock.archive && 'bytes' in (await localArchive(lock.archive, cache, sources)))
    return here(`${lock.archive.package} is on this machine: builds need no network`);
  const missing = await missingDownloads(lock, cache);
  if (missing.length === 0) return here('its packages are in the cache: builds need no network');

  const size = `${Math.round(missing.reduce((sum, one) => sum + one.size, 0) / 1e6)} MB`;
  if (sources.offline) {
    return {
      missing: true,
      finding: problem(
        check,
        'fw build',
        `${missing.length} packages (${size}) are missing, and HEARTH_OFFLINE forbids to fetch them`,
        'Unset HEARTH_OFFLINE and build once with a network.',
      ),
    };
  }
  return { missing: true, finding: await origin(check, loaded, sources, size, online, probes) };
}

/** Where the missing packages would come from. */
async function origin(
  check: string,
  { lock }: LoadedTarget,
  { systemsFolder }: Sources,
  size: string,
  online: boolean,
  probes: SystemProbes,
): Promise<Finding> {
  const first = `the first build fetches up to ${size}`;
  if (lock.archive?.published) return ok(check, `${first} by npm`);
  try {
    const answers: string[] = [];
    for (const archive of new Set(lock.packages.map((pkg) => pkg.archive))) {
      const [pkg] = lock.packages.filter((one) => one.archive === archive);
      const bases = probes.mirrors(archive);
      if (!online || !pkg) continue;
      const said = await Promise.all(bases.map((base) => probes.ask(`${base}/${pkg.path}`)));
      if (!said.includes('there')) answers.push(`${pkg.name} of ${archive}: ${said.join('; ')}`);
    }
    if (answers.length === 0)
      return ok(check, `${first} from Debian's mirrors${online ? ', which answer' : ''}`);
    return problem(
      check,
      'fw build',
      `no mirror has ${answers.join('; ')}`,
      'Check the network, or name another mirror in HEARTH_DEBIAN_MIRROR.',
    );
  } catch (error) {
    if (!(error instanceof FwError)) throw error;
    const folder = systemsFolder ? `; HEARTH_SYSTEMS (${systemsFolder}) lacks its archive` : '';
    return problem(check, 'fw build', `${first}, but ${error.message}${folder}`, error.remedy);
  }
}

async function ask(url: string): Promise<string> {
  try {
    const { ok: there, status } = await fetch(url, {
      method: 'HEAD',
      signal: AbortSignal.timeout(ANSWER_MS),
    });
    return there ? 'there' : `the server answers ${status}`;
  } catch (error) {
    const { message, cause } = error as Error;
    return cause instanceof Error ? cause.message : message;
  }
}
