// The server's table as lines: its columns, with the namespace, the labels or the kind added where the user asks.
import type { Client } from "./client.ts";
import { asTable, TABLE, type Table, type TableRow } from "./list.ts";
import type { ApiObject } from "./object.ts";
import { createTableWriter } from "./table.ts";

export interface ViewOptions {
  readonly wide: boolean;
  readonly namespaces: boolean;
  readonly labels: boolean;
  readonly headers: boolean;
  /** Put before each name, when the tables of several kinds follow each other. */
  readonly prefix: string | undefined;
}

export interface TableView {
  /** The header once, before the first row there is; nothing when there is no row. */
  print(tables: readonly Table[]): string;
}

export async function readTable(client: Client, path: string): Promise<Table> {
  return asTable(await client.json<Table | ApiObject>(path, { accept: TABLE }));
}

export function createTableView(options: ViewOptions): TableView {
  const write = createTableWriter();
  // Events of a watch carry the columns only once.
  let columns: NonNullable<Table["columnDefinitions"]> = [];
  let headed = !options.headers;
  return {
    print(tables) {
      columns = tables.find((table) => table.columnDefinitions?.length)?.columnDefinitions ?? columns;
      const shown = columns.flatMap((column, index) => (options.wide || !column.priority ? [index] : []));
      const rows = tables.flatMap((table) => table.rows).map((row) => cellsOf(row, shown, options));
      if (rows.length === 0) return "";
      if (headed) return write(rows);
      headed = true;
      const names = shown.map((index) => (columns[index]?.name ?? "").toUpperCase());
      const namespace = options.namespaces ? ["NAMESPACE"] : [];
      return write([[...namespace, ...names, ...(options.labels ? ["LABELS"] : [])], ...rows]);
    },
  };
}

function cellsOf(row: TableRow, shown: readonly number[], options: ViewOptions): string[] {
  const [name = "", ...rest] = shown.map((index) => cellText(row.cells[index]));
  const cells = [options.prefix === undefined ? name : `${options.prefix}/${name}`, ...rest];
  if (options.namespaces) cells.unshift(row.object?.metadata.namespace ?? "");
  if (options.labels) cells.push(labelText(row.object?.metadata.labels));
  return cells;
}

/** As kubectl prints what is not set. A row is a line: what an object says over several lines must not break it. */
function cellText(cell: unknown): string {
  const text = cell === null || cell === undefined ? "<none>" : String(cell);
  return text.replace(/\s*\n\s*/g, " ");
}

function labelText(labels: Readonly<Record<string, string>> | undefined): string {
  const pairs = Object.entries(labels ?? {}).map(([key, value]) => `${key}=${value}`);
  return pairs.length > 0 ? pairs.join(",") : "<none>";
}
