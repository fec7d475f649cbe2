// The rows that a list is made of. Its conditions come in few combinations; each is one statement, prepared when it is
// first asked for.
import type { Database } from "better-sqlite3";
import type { Place } from "./continue-token.ts";
import { prepare, type Slots } from "./prepared.ts";
import { query } from "./schema.ts";

/** What a list is taken from, apart from selectors. */
export interface Scope {
  readonly kind: string;
  readonly namespace: string | undefined;
  readonly name: string | undefined;
  readonly owner: string | undefined;
  /** The revision that the list is true at. */
  readonly revision: number;
}

export interface ListRows {
  /** Objects after `place` whose last write was at the revision or before it, sorted. */
  unchanged(scope: Scope, place: Place, limit: number): readonly (Place & { readonly revision: number })[];
  countUnchanged(scope: Scope, place: Place): number;
  /** Writes after the revision, oldest first. */
  writesSince(scope: Scope): readonly (Place & { readonly previous: number | null })[];
}

export function listRows(db: Database): ListRows {
  const statements = new Map<string, ReturnType<typeof unchangedStatements>>();
  const writes = prepare<Conditions>(db)((slot) =>
    query
      .selectFrom("history")
      .select(["namespace", "name", "previous"])
      .where("revision", ">", slot("revision"))
      .where("kind", "=", slot("kind"))
      .where(({ or, eb }) => or([eb(slot("namespace"), "is", null), eb("namespace", "=", slot("namespace"))]))
      .where(({ or, eb }) => or([eb(slot("name"), "is", null), eb("name", "=", slot("name"))]))
      .orderBy("revision"),
  );

  function statementsFor({ namespace, name, owner }: Scope) {
    const given = { namespace: namespace !== undefined, name: name !== undefined, owner: owner !== undefined };
    const key = JSON.stringify(given);
    const known = statements.get(key) ?? unchangedStatements(db, given);
    statements.set(key, known);
    return known;
  }

  return {
    unchanged: (scope, place, limit) => statementsFor(scope).page.all({ ...parametersOf(scope, place), limit }),
    countUnchanged: (scope, place) => statementsFor(scope).count.get(parametersOf(scope, place))?.count ?? 0,
    writesSince: (scope) => writes.all(parametersOf(scope, { namespace: "", name: "" })),
  };
}

interface Conditions {
  readonly kind: string;
  readonly namespace: string | null;
  readonly name: string | null;
  readonly owner: string | null;
  readonly revision: number;
  readonly afterNamespace: string;
  readonly afterName: string;
}

function parametersOf({ kind, namespace, name, owner, revision }: Scope, place: Place): Conditions {
  return {
    kind,
    namespace: namespace ?? null,
    name: name ?? null,
    owner: owner ?? null,
    revision,
    afterNamespace: place.namespace,
    afterName: place.name,
  };
}

type Given = Readonly<Record<"namespace" | "name" | "owner", boolean>>;

function unchangedStatements(db: Database, given: Given) {
  return {
    page: prepare<Conditions & { readonly limit: number }>(db)((slot) =>
      unchanged(slot, given)
        .select(["objects.namespace", "objects.name", "objects.revision"])
        .orderBy("objects.namespace")
        .orderBy("objects.name")
        .limit(slot("limit")),
    ),
    count: prepare<Conditions>(db)((slot) =>
      unchanged(slot, given).select((select) => select.fn.countAll<number>().as("count")),
    ),
  };
}

function unchanged(slot: Slots<Conditions>, given: Given) {
  let found = query
    .selectFrom("objects")
    .where("objects.kind", "=", slot("kind"))
    .where("objects.revision", "<=", slot("revision"))
    .where(({ eb, refTuple, tuple }) =>
      eb(refTuple("objects.namespace", "objects.name"), ">", tuple(slot("afterNamespace"), slot("afterName"))),
    );
  if (given.namespace) found = found.where("objects.namespace", "=", slot("namespace"));
  if (given.name) found = found.where("objects.name", "=", slot("name"));
  if (given.owner) {
    // From the owner to what is its own: the other way round every object of the kind would be asked for its owners.
    found = found.where(({ eb, refTuple, selectFrom }) =>
      eb(
        refTuple("objects.namespace", "objects.name"),
        "in",
        selectFrom("owners")
          .select(["owners.namespace", "owners.name"])
          .where("owners.owner", "=", slot("owner"))
          .where("owners.kind", "=", slot("kind"))
          .$asTuple("namespace", "name"),
      ),
    );
  }
  return found;
}
