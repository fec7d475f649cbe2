// The database as the last server left it, read without it: what was really written, in which order.
import SqliteDatabase from "better-sqlite3";
import { stableStringify } from "../../../controller/kernel/json.ts";
import { qualifiedResource } from "../../../crds/resource.ts";
import type { Acknowledged } from "./ledger.ts";
import type { Watcher } from "./watcher.ts";

interface Row {
  readonly revision: number;
  /** The qualified resource. */
  readonly kind: string;
  readonly type: string;
  readonly body: string;
}

/** Everything that contradicts what was told to clients and watchers. */
export function historyProblems(
  file: string,
  acknowledged: readonly Acknowledged[],
  watchers: readonly Watcher[],
): readonly string[] {
  const db = new SqliteDatabase(file, { readonly: true });
  try {
    const integrity = db.pragma("integrity_check", { simple: true });
    const rows = db.prepare<[], Row>("select revision, kind, type, body from history order by revision").all();
    const compacted = Number(
      db.prepare<[], { value: string }>("select value from meta where key = 'compacted'").get()?.value ?? 0,
    );
    return [
      ...(integrity === "ok" ? [] : [`the file is damaged: ${integrity}`]),
      ...gaps(rows, compacted),
      ...revisionsGoBack(acknowledged),
      ...acknowledged.flatMap((write) => unlikeHistory(write, compacted, byRevision(rows))),
      ...watchers.flatMap((watcher) => unlikeWatched(watcher, rows, compacted)),
    ];
  } finally {
    db.close();
  }
}

const indexes = new WeakMap<readonly Row[], ReadonlyMap<number, Row>>();
function byRevision(rows: readonly Row[]): ReadonlyMap<number, Row> {
  const index = indexes.get(rows) ?? new Map(rows.map((row) => [row.revision, row]));
  indexes.set(rows, index);
  return index;
}

/** Above the compacted revision every one is there. */
function gaps(rows: readonly Row[], compacted: number): readonly string[] {
  const revisions = rows.map(({ revision }) => revision).filter((revision) => revision > compacted);
  return revisions.flatMap((revision, index) =>
    revision === compacted + 1 + index ? [] : [`history: ${revision} stands where ${compacted + 1 + index} should`],
  );
}

/** No start of the server gives a revision out again. The answer to a deletion need not have one of its own. */
function revisionsGoBack(acknowledged: readonly Acknowledged[]): readonly string[] {
  const bounds = new Map<string, { least: number; most: number }>();
  for (const { server, revision } of acknowledged.filter(({ does }) => does !== "delete")) {
    const bound = bounds.get(server) ?? { least: revision, most: revision };
    bounds.set(server, { least: Math.min(bound.least, revision), most: Math.max(bound.most, revision) });
  }
  let newest = 0;
  return [...bounds].flatMap(([server, { least, most }]) => {
    const before = newest;
    newest = Math.max(newest, most);
    return least > before ? [] : [`server ${server} acknowledged revision ${least}, after ${before} of the one before`];
  });
}

function unlikeHistory(
  { does, plural, name, revision, spec, uid }: Acknowledged,
  compacted: number,
  rows: ReadonlyMap<number, Row>,
): readonly string[] {
  if (does === "delete" || revision <= compacted) return [];
  const body = rows.get(revision)?.body;
  const stored = body === undefined ? undefined : JSON.parse(body);
  if (stored?.metadata.uid === uid && stableStringify(stored.spec) === spec) return [];
  return [`${plural}/${name}: ${does} was acknowledged at ${revision}, where history has ${body}`];
}

/** A list stands for what was compacted, and for nothing else. */
function unlikeWatched(watcher: Watcher, rows: readonly Row[], compacted: number): readonly string[] {
  const { revisions, gaps: listed } = watcher;
  const { plural } = watcher.kind;
  const [begin, ...later] = listed;
  const problems = later
    .filter(({ from }) => from >= compacted)
    .map(({ from }) => `the watcher of ${plural} was told 410 at ${from}, and history reaches back to ${compacted}`);
  const seen = new Set(revisions);
  const within = (revision: number) => listed.some(({ from, to }) => from < revision && revision <= to);
  const missed = rows.filter(
    ({ revision, kind }) =>
      kind === qualifiedResource(watcher.kind) &&
      revision > (begin?.to ?? 0) &&
      !seen.has(revision) &&
      !within(revision),
  );
  const stored = new Set(rows.map(({ revision }) => revision));
  const invented = revisions.filter((revision) => revision > compacted && !stored.has(revision));
  return [
    ...problems,
    ...missed.map(({ revision, type }) => `the watcher of ${plural} has missed ${type} ${revision}`),
    ...invented.map((revision) => `the watcher of ${plural} saw ${revision}, which history does not have`),
    ...(seen.size === revisions.length ? [] : [`the watcher of ${plural} saw a revision twice`]),
  ];
}
