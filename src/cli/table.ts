/** Columns for people. Results are read in 80 columns; a cell that is too long for that makes its own line longer. */

export type Align = 'left' | 'right';

/** Rows as lines: columns two spaces apart, as wide as their widest cell; no spaces at the end. */
export function table(rows: readonly (readonly string[])[], align: readonly Align[] = []): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [i, cell] of row.entries()) widths[i] = Math.max(widths[i] ?? 0, cell.length);
  }
  return rows.map((row) =>
    row
      .map((cell, i) => (align[i] === 'right' ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0)))
      .join('  ')
      .trimEnd(),
  );
}

/** As many of the items as fit, and how many more there are. At least one is shown. */
export function fitted(items: readonly string[], width: number): string {
  for (let shown = items.length; shown > 1; shown--) {
    const rest = items.length - shown;
    const text = `${items.slice(0, shown).join(', ')}${rest > 0 ? `, +${rest}` : ''}`;
    if (text.length <= width) return text;
  }
  const [first = ''] = items;
  return items.length > 1 ? `${first}, +${items.length - 1}` : first;
}

/** A path that fits, without its middle: where it is and what it is called say most. */
export function elided(path: string, width: number): string {
  if (path.length <= width) return path;
  const start = Math.floor((width - 1) / 3);
  return `${path.slice(0, start)}…${path.slice(path.length - (width - 1 - start))}`;
}
