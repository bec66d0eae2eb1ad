import type { Finding } from '../host/doctor/finding.ts';
import { wrapped } from './error-text.ts';
import { paint, type TextStream } from './output.ts';

const UNICODE = { ok: '✓', note: '!', problem: '✗', do: '→' };
const ASCII = { ok: '+', note: '!', problem: 'x', do: '->' };
const COLOUR = { ok: 'green', note: 'yellow', problem: 'red' } as const;

/** Whether the terminal writes more than ASCII, by the locale's rules; the Linux console has no check marks. */
export function writesUnicode(env: NodeJS.ProcessEnv, platform: NodeJS.Platform = process.platform): boolean {
  if (env.TERM === 'linux' || env.TERM === 'dumb') return false;
  const locale = env.LC_ALL || env.LC_CTYPE || env.LANG || '';
  return /utf-?8/i.test(locale) || (locale === '' && platform === 'darwin');
}

/** Findings for people: one a line, what to do about it below, and what it all means at the end. */
export function findingsText(
  findings: readonly Finding[],
  { stream, unicode }: { stream: TextStream; unicode: boolean },
): string {
  const sign = unicode ? UNICODE : ASCII;
  const width = stream.columns || 80;
  const label = Math.max(0, ...findings.map(({ check }) => check.length));
  const indent = 2 + label + 2;
  const lines = findings.flatMap(({ check, level, text, stops, remedy }) => {
    const said = stops === 'fw run' ? `${text} (stops only fw run)` : text;
    const line = `${paint(COLOUR[level], sign[level], stream)} ${check.padEnd(label)}  ${wrapped(said, width, indent, indent)}`;
    if (!remedy) return [line];
    const first = `${' '.repeat(indent)}${sign.do} `;
    return [line, `${first}${wrapped(remedy, width, first.length, first.length)}`];
  });
  return [...lines, '', wrapped(verdict(findings), width, 0, 0)].join('\n');
}

function verdict(findings: readonly Finding[]): string {
  const stopping = (verb: Finding['stops']): number => findings.filter(({ stops }) => stops === verb).length;
  const [build, run] = [stopping('fw build'), stopping('fw run')];
  const problems = (count: number): string => (count === 1 ? '1 problem stops' : `${count} problems stop`);
  if (build > 0) return `${problems(build)} fw build${run > 0 ? `, ${run} more only fw run` : ''}.`;
  if (run > 0) return `fw build can work; ${problems(run)} fw run.`;
  return 'fw build and fw run can work.';
}
