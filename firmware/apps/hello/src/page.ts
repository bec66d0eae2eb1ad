/** What the page shows. Times are seconds, memory is bytes. */
export interface Facts {
  product: string;
  version: string;
  target: string;
  slot: string;
  uuid: string;
  node: string;
  uptime: number;
  memoryTotal: number;
  memoryAvailable: number;
}

/** The page as HTML. */
export function page(greeting: string, facts: Facts): string {
  const MiB = 1024 * 1024;
  const rows: [string, string][] = [
    ['Target', facts.target],
    ['Slot', facts.slot],
    ['Firmware', `${facts.product} ${facts.version}`],
    ['UUID', facts.uuid],
    ['Node.js', facts.node],
    ['Up for', `${facts.uptime.toFixed(0)} s`],
    [
      'Memory',
      `${(facts.memoryAvailable / MiB).toFixed(0)} of ${(facts.memoryTotal / MiB).toFixed(0)} MiB available`,
    ],
  ];
  const body = rows.map(([name, value]) => `<tr><th>${escapeHtml(name)}<td>${escapeHtml(value)}`).join('\n');
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>${escapeHtml(greeting)}</title>
<style>
body { font: 1.1rem/1.6 system-ui, sans-serif; margin: 3rem auto; max-width: 40rem; padding: 0 1rem }
th { text-align: left; padding-right: 2rem; font-weight: 600 }
</style>
<h1>${escapeHtml(greeting)}</h1>
<table>
${body}
</table>
</html>
`;
}

function escapeHtml(text: string): string {
  const names: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
  return text.replace(/[&<>"]/g, (c) => names[c] ?? c);
}
