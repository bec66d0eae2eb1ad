import type { CutReport } from './campaign.ts';
import { SCENES } from './life.ts';

export function describeCut({ scene, change, changes, loss, came, seconds, ok, kept }: CutReport): string {
  const verdict = ok
    ? `up with ${came}, and took a further update`
    : `FAILED: ${came.split('\n', 1)[0]} (kept in ${kept})`;
  const steps = Object.entries(seconds).map(([step, took]) => `${step} ${Math.round(took)}`);
  return `${scene}, after change ${change} of about ${changes} (${loss}): ${verdict} (${Math.round(total(seconds))} s: ${steps.join(', ')})`;
}

/** What a campaign came to, scene by scene: Markdown. */
export function describeCampaign(reports: readonly CutReport[]): string {
  const rows = SCENES.flatMap((name) => {
    const of = reports.filter(({ scene }) => scene === name);
    if (of.length === 0) return [];
    const count = (is: (report: CutReport) => boolean): number => of.filter(is).length;
    const came = Map.groupBy(
      of.filter(({ ok }) => ok),
      (report) => report.came,
    );
    const mean = of.reduce((sum, { seconds }) => sum + total(seconds), 0) / of.length;
    return [
      `| ${name} | ${of.length} | ${count(({ loss }) => loss.includes('all of'))} | ${count(({ loss }) => loss.includes('torn'))} | ${[...came].map(([what, { length }]) => `${what}: ${length}`).join(', ')} | ${count(({ ok }) => !ok)} | ${Math.round(mean)} |`,
    ];
  });
  return [
    '| scene | cuts | unflushed all lost | lost in part, or torn | what came up | bad | seconds a cut |',
    '| --- | --- | --- | --- | --- | --- | --- |',
    ...rows,
  ].join('\n');
}

function total(seconds: Record<string, number>): number {
  return Object.values(seconds).reduce((sum, each) => sum + each, 0);
}
