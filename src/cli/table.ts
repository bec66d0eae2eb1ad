/** Columns for people. Results are read in 80 columns; a cell that is too long for that makes its own line longer. */

export type Align = 'left' | 'right';

/**
 * What is shown of text that came from elsewhere: names in a firmware of anybody's must not move the cursor, or make
 * lines of their own.
 */
export function printable(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, '\ufffd');
}

/** Rows as lines: columns two spaces apart, as wide as their widest cell; no spaces at the end. */
export function table(cells: readonly (readonly string[])[], align: readonly Align[] = []): string[] {
  const rows = cells.map((row) => row.map(printable));
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
  const shown = printable(path);
  if (shown.length <= width) return shown;
  const start = Math.floor((width - 1) / 3);
  return `${shown.slice(0, start)}…${shown.slice(shown.length - (width - 1 - start))}`;
}
