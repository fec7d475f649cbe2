// Lists, page by page, so that no answer is too large for either side.
import type { Client } from "./client.ts";
import type { ApiObject, ObjectList } from "./object.ts";

/** As kubectl asks: the server may keep a page of this many objects in memory. */
const PAGE = 500;

/** Asks for the server's own columns; a server that has none answers with a plain list. */
export const TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io,application/json";

export interface Table {
  readonly kind: "Table";
  readonly metadata: { readonly resourceVersion?: string; readonly continue?: string };
  readonly columnDefinitions?: readonly { readonly name: string; readonly priority?: number }[];
  readonly rows: readonly TableRow[];
}

export interface TableRow {
  readonly cells: readonly unknown[];
  readonly object?: Pick<ApiObject, "metadata">;
}

export interface Selectors {
  readonly labelSelector?: string | undefined;
  readonly fieldSelector?: string | undefined;
}

/** The selectors as a query, without the ones that are not set. */
export function selectorQuery(selectors: Selectors): Readonly<Record<string, string>> {
  return Object.fromEntries(Object.entries(selectors).filter(([, value]) => value !== undefined && value !== ""));
}

export async function listObjects(
  client: Client,
  path: string,
  selectors: Selectors,
  signal?: AbortSignal,
): Promise<ObjectList> {
  const pages: ObjectList[] = [];
  for await (const page of pagesOf<ObjectList>(client, path, selectors, "application/json", signal)) pages.push(page);
  const first = pages[0] ?? { kind: "List", metadata: {}, items: [] };
  // Items of a list may leave out what the list says for all of them.
  const kind = first.kind.replace(/List$/, "");
  const defaults = { apiVersion: "apiVersion" in first ? String(first.apiVersion) : "", kind };
  return { ...first, items: pages.flatMap((page) => page.items).map((item) => ({ ...defaults, ...item })) };
}

export async function listTable(
  client: Client,
  path: string,
  selectors: Selectors,
  signal?: AbortSignal,
): Promise<Table> {
  const pages: Table[] = [];
  for await (const page of pagesOf<Table | ObjectList>(client, path, selectors, TABLE, signal))
    pages.push(asTable(page));
  const first = pages[0] ?? { kind: "Table", metadata: {}, rows: [] };
  return { ...first, rows: pages.flatMap((page) => page.rows) };
}

/** What a server without tables sends, as a table of names. */
export function asTable(answer: Table | ObjectList | ApiObject): Table {
  if ("rows" in answer) return answer;
  const items = "items" in answer ? answer.items : [answer];
  const { resourceVersion = "" } = answer.metadata;
  return {
    kind: "Table",
    metadata: { resourceVersion },
    columnDefinitions: [{ name: "Name" }],
    rows: items.map((object) => ({ cells: [object.metadata.name], object })),
  };
}

async function* pagesOf<P extends { readonly metadata: { readonly continue?: string } }>(
  client: Client,
  path: string,
  selectors: Selectors,
  accept: string,
  signal: AbortSignal | undefined,
): AsyncGenerator<P> {
  let next: string | undefined;
  do {
    const query = { ...selectorQuery(selectors), limit: PAGE, ...(next === undefined ? {} : { continue: next }) };
    const page: P = await client.json<P>(path, { accept, query, ...(signal === undefined ? {} : { signal }) });
    yield page;
    next = page.metadata.continue || undefined;
  } while (next !== undefined);
}
