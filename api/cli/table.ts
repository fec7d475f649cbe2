// Columns as kubectl prints them: three spaces between, nothing after the last, so that awk and cut work on both.

const GAP = "   ";
const MINIMUM = 5;

/** Lines for the rows. Widths grow with what was seen, so that rows that come later stay in their columns. */
export function createTableWriter(): (rows: readonly (readonly string[])[]) => string {
  const widths: number[] = [];
  return (rows) => {
    for (const row of rows) {
      for (const [column, cell] of row.entries()) {
        widths[column] = Math.max(widths[column] ?? MINIMUM, cell.length);
      }
    }
    return rows.map((row) => `${padded(row, widths)}\n`).join("");
  };
}

export function formatTable(headers: readonly string[], rows: readonly (readonly string[])[]): string {
  return createTableWriter()([headers, ...rows]);
}

function padded(row: readonly string[], widths: readonly number[]): string {
  return row
    .map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd(widths[column] ?? 0)))
    .join(GAP)
    .trimEnd();
}
