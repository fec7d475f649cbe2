// One page of a list. All pages of a list are true at the revision of its first: objects that were written since come
// from history, in the state they had then.
import type { Database } from "better-sqlite3";
import type { AnyResource } from "../../crds/resource.ts";
import { LIST_READ_ROWS, MAX_LIST_ITEMS } from "../limits.ts";
import { decodePlace, encodePlace, isAfter, type Place } from "./continue-token.ts";
import { BadRequestError, ExpiredError } from "./errors.ts";
import { type ListRows, listRows, type Scope } from "./list-rows.ts";
import { parseSelector } from "./selectors.ts";
import type { ListOptions, ListPage } from "./store.ts";
import type { History } from "./watch-hub.ts";

/** Where an object's state in the list was written. */
interface Entry extends Place {
  readonly revision: number;
}

/** Before every object. */
const BEGINNING: Place = { namespace: "", name: "" };

export function listPages(db: Database, history: History) {
  const rows = listRows(db);

  return (kind: string, options: ListOptions): ListPage<AnyResource> => {
    const selector = parseSelector(options);
    const limit = limitOf(options);
    const start = options.continue ? decodePlace(options.continue) : undefined;
    const revision = start?.revision ?? options.revision ?? history.head();
    refuseExpired(history, revision);

    const namespace = options.namespace ?? selector.namespace;
    const scope: Scope = { kind, namespace, name: selector.name, owner: options.owner, revision };
    const formers = revision === history.head() ? [] : formerStates(rows, scope);
    const everything = selector.everything && options.owner === undefined;
    const chunk = everything ? Math.min(limit + 1, LIST_READ_ROWS) : LIST_READ_ROWS;

    const items: AnyResource[] = [];
    let last: Place | undefined;
    for (const entry of inOrder(currentStates(rows, scope, start ?? BEGINNING, chunk), after(formers, start))) {
      const object = history.objects.at(entry.revision);
      if (!object || !selector.matches(object) || !isOwnedBy(object, options.owner)) continue;
      if (items.length === limit && last) {
        const remaining = everything ? { remaining: countAfter(rows, scope, formers, last) } : {};
        return { items, revision, continue: encodePlace({ ...last, revision }), ...remaining };
      }
      items.push(object);
      last = entry;
    }
    return { items, revision };
  };
}

function limitOf({ limit = 0 }: ListOptions): number {
  if (!Number.isInteger(limit) || limit < 0) throw new BadRequestError(`limit: ${limit} is not a number of items`);
  return limit === 0 ? MAX_LIST_ITEMS : Math.min(limit, MAX_LIST_ITEMS);
}

function refuseExpired(history: History, revision: number): void {
  if (revision >= history.compacted() && revision <= history.head()) return;
  throw new ExpiredError(
    `The state at revision ${revision}, or the continue parameter that names it, is too old to display a consistent list. You can start a new list without it.`,
  );
}

/** Objects that still are as they were at the snapshot, in chunks. */
function* currentStates(rows: ListRows, scope: Scope, start: Place, chunk: number): Generator<Entry> {
  for (let place = start; ; ) {
    const found = rows.unchanged(scope, place, chunk);
    yield* found;
    const last = found.at(-1);
    if (!last || found.length < chunk) return;
    place = last;
  }
}

/** The states at the snapshot of what was changed or deleted since, sorted. */
function formerStates(rows: ListRows, scope: Scope): readonly Entry[] {
  const seen = new Set<string>();
  const formers: Entry[] = [];
  for (const { namespace, name, previous } of rows.writesSince(scope)) {
    const place = `${namespace}/${name}`;
    // Only the first write after the snapshot replaced the state that was in it.
    if (!seen.has(place) && previous !== null) formers.push({ namespace, name, revision: previous });
    seen.add(place);
  }
  return formers.sort((a, b) => (isAfter(a, b) ? 1 : -1));
}

function* after(formers: readonly Entry[], start: Place | undefined): Generator<Entry> {
  for (const former of formers) if (!start || isAfter(former, start)) yield former;
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

function countAfter(rows: ListRows, scope: Scope, formers: readonly Entry[], last: Place): number {
  return rows.countUnchanged(scope, last) + formers.filter((former) => isAfter(former, last)).length;
}

function isOwnedBy(object: AnyResource, owner: string | undefined): boolean {
  return owner === undefined || (object.metadata.ownerReferences ?? []).some((each) => each.uid === owner);
}
