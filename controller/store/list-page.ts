// One page of a list. All pages of a list are true at the revision of its first: objects that were written since come
// from history, in the state they had then.
import type { Database } from "better-sqlite3";
import type { Compilable } from "kysely";
import type { AnyResource } from "../../crds/resource.ts";
import { LIST_READ_ROWS, MAX_LIST_ITEMS } from "../limits.ts";
import { decodePlace, encodePlace, isAfter, type Place } from "./continue-token.ts";
import { BadRequestError, ExpiredError } from "./errors.ts";
import { query } from "./schema.ts";
import { parseSelector } from "./selectors.ts";
import type { ListOptions, ListPage } from "./store.ts";
import type { History } from "./watch-hub.ts";

/** What a list is taken from, apart from selectors. */
interface Scope {
  readonly kind: string;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
  readonly owner: string | undefined;
  /** The revision that the list is true at. */
  readonly revision: number;
}

interface Entry extends Place {
  readonly body: string;
}

/** An object that was written after the snapshot, with the revision of its state in it. */
interface Former extends Place {
  readonly revision: number;
}

export function listPage(db: Database, history: History, kind: string, options: ListOptions): ListPage<AnyResource> {
  const selector = parseSelector(options);
  const limit = limitOf(options);
  const start = options.continue ? decodePlace(options.continue) : undefined;
  const revision = start?.revision ?? history.head();
  refuseExpired(history, revision);

  const namespace = options.namespace ?? selector.namespace;
  const scope: Scope = { kind, namespace, name: selector.name, owner: options.owner, revision };
  const formers = revision === history.head() ? [] : formerStates(db, scope);
  const everything = selector.everything && options.owner === undefined;
  const chunk = everything ? Math.min(limit + 1, LIST_READ_ROWS) : LIST_READ_ROWS;

  const items: AnyResource[] = [];
  let last: Place | undefined;
  for (const entry of inOrder(currentStates(db, scope, start, chunk), formerEntries(formers, history, start))) {
    const object: AnyResource = JSON.parse(entry.body); // an admitted object when it was written
    if (!selector.matches(object) || !isOwnedBy(object, options.owner)) continue;
    if (items.length === limit && last) {
      const remaining = everything ? { remaining: countAfter(db, scope, formers, last) } : {};
      return { items, revision, continue: encodePlace({ ...last, revision }), ...remaining };
    }
    items.push(object);
    last = entry;
  }
  return { items, revision };
}

function limitOf({ limit = 0 }: ListOptions): number {
  if (!Number.isInteger(limit) || limit < 0) throw new BadRequestError(`limit: ${limit} is not a number of items`);
  return limit === 0 ? MAX_LIST_ITEMS : Math.min(limit, MAX_LIST_ITEMS);
}

function refuseExpired(history: History, revision: number): void {
  if (revision >= history.compacted() && revision <= history.head()) return;
  throw new ExpiredError(
    "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter.",
  );
}

/** Objects that still are as they were at the snapshot, in chunks. */
function* currentStates(db: Database, scope: Scope, start: Place | undefined, chunk: number): Generator<Entry> {
  for (let after = start; ; ) {
    const rows = rowsOf(
      db,
      unchanged(scope, after)
        .innerJoin("history", "history.revision", "objects.revision")
        .select(["objects.namespace", "objects.name", "history.body"])
        .orderBy("objects.namespace")
        .orderBy("objects.name")
        .limit(chunk),
    );
    yield* rows;
    if (rows.length < chunk) return;
    after = rows.at(-1);
  }
}

function unchanged(scope: Scope, after: Place | undefined) {
  const { kind, namespace, name, owner, revision } = scope;
  let found = query.selectFrom("objects").where("objects.kind", "=", kind).where("objects.revision", "<=", revision);
  if (namespace !== undefined) found = found.where("objects.namespace", "=", namespace);
  if (name !== undefined) found = found.where("objects.name", "=", name);
  if (owner !== undefined) {
    found = found.where(({ exists, selectFrom }) =>
      exists(
        selectFrom("owners")
          .select("owners.owner")
          .where("owners.owner", "=", owner)
          .whereRef("owners.kind", "=", "objects.kind")
          .whereRef("owners.namespace", "=", "objects.namespace")
          .whereRef("owners.name", "=", "objects.name"),
      ),
    );
  }
  if (after) {
    found = found.where(({ eb, refTuple, tuple }) =>
      eb(refTuple("objects.namespace", "objects.name"), ">", tuple(after.namespace, after.name)),
    );
  }
  return found;
}

/** Where to find the states at the snapshot of what was changed or deleted since, sorted. */
function formerStates(db: Database, { kind, namespace, name, revision }: Scope): readonly Former[] {
  let writes = query
    .selectFrom("history")
    .select(["namespace", "name", "previous"])
    .where("revision", ">", revision)
    .where("kind", "=", kind)
    .orderBy("revision");
  if (namespace !== undefined) writes = writes.where("namespace", "=", namespace);
  if (name !== undefined) writes = writes.where("name", "=", name);

  const seen = new Set<string>();
  const formers: Former[] = [];
  for (const write of rowsOf(db, writes)) {
    const place = `${write.namespace}/${write.name}`;
    // Only the first write after the snapshot replaced the state that was in it.
    if (!seen.has(place) && write.previous !== null) formers.push({ ...write, revision: write.previous });
    seen.add(place);
  }
  return formers.sort((a, b) => (isAfter(a, b) ? 1 : -1));
}

function* formerEntries(formers: readonly Former[], history: History, start: Place | undefined): Generator<Entry> {
  for (const former of formers) {
    if (start && !isAfter(former, start)) continue;
    const body = history.bodyOf(former.revision);
    if (body !== undefined) yield { namespace: former.namespace, name: former.name, body };
  }
}

/** Two sorted sequences as one. */
function* inOrder(left: Generator<Entry>, right: Generator<Entry>): Generator<Entry> {
  let [a, b] = [left.next(), right.next()];
  while (!a.done && !b.done) {
    if (isAfter(a.value, b.value)) {
      yield b.value;
      b = right.next();
    } else {
      yield a.value;
      a = left.next();
    }
  }
  for (; !a.done; a = left.next()) yield a.value;
  for (; !b.done; b = right.next()) yield b.value;
}

function countAfter(db: Database, scope: Scope, formers: readonly Former[], last: Place): number {
  const [row] = rowsOf(
    db,
    unchanged(scope, last).select((select) => select.fn.countAll<number>().as("count")),
  );
  return (row?.count ?? 0) + formers.filter((former) => isAfter(former, last)).length;
}

function isOwnedBy(object: AnyResource, owner: string | undefined): boolean {
  return owner === undefined || (object.metadata.ownerReferences ?? []).some((each) => each.uid === owner);
}

/** kysely types the rows of the query that it compiled. */
function rowsOf<Row>(db: Database, built: Compilable<Row>): readonly Row[] {
  const { sql, parameters } = built.compile();
  return db.prepare<unknown[], Row>(sql).all(...parameters);
}
