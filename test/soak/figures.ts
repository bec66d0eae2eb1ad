import type { Findings } from './verdicts.ts';

/** What was done, and what came of it, for people. */
export function figures({ books, rests, samples }: Findings): string[] {
  const table = (title: string, counts: Record<string, number>): string[] => [
    `${title}:`,
    ...Object.entries(counts)
      .sort(([a], [b]) => a.localeCompare(b))
      .map(([name, count]) => `  ${name}: ${count}`),
  ];
  const series = rests.map(({ heap }) => (heap / 2 ** 20).toFixed(2)).join(' ');
  const resident = samples.filter((_, at) => at % Math.ceil(samples.length / 30) === 0);
  return [
    `heap at each rest, MiB: ${series}`,
    `resident memory, MiB: ${resident.map(({ rss }) => Math.round(rss / 2 ** 20)).join(' ')}`,
    ...table('done', books?.outcomes ?? {}),
    ...table('reports of the library', books?.reports ?? {}),
  ];
}
